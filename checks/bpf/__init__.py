"""What the kernel answers when asked: bpf(2) and perf_event_open(2), with each errno explained."""
