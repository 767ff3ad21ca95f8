"""FER-2013 in any of its forms, as one Dataset."""
