"""What is done to built pages, and what is asked of them."""
