"""Loading models, changing them, and writing with them."""
