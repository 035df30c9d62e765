"""Which photo and which sketch show one person, and which people train and test."""
