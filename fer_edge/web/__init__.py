"""A page in the browser for devices without a display: read only, on loopback unless asked otherwise."""
