"""What every room needs: the error a user sees, how a command ends, atomic files, tables for a terminal."""
