"""What the kernel has by name: functions and types, looked up when a question is about one of them."""
