"""From a data set as its owners distribute it to a folder of aligned pairs."""
