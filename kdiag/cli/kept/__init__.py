"""What is kept of machines: recordings and reports, made, compared and shown. Imported when it is asked for."""
