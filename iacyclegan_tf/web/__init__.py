"""The page in a browser: translate, search, and what the models must not be used for."""
