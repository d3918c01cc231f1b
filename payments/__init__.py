"""What money does: payments, the methods to make them, and the one place where evidence changes them."""
