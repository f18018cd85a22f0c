#!/bin/sh
# Makes the objects of core.bpf.c anew, beside it. Needs clang 12 or newer and llvm-strip; any architecture's will do.
# BPF of the first version (-mcpu=v1) is what every kernel runs. Debug information is for BTF alone and goes again.
set -eu
cd "$(dirname "$0")"
for name in tracepoint kprobe fentry ring kfunc iterator; do
	define=$(echo "$name" | tr a-z A-Z)
	"${CLANG:-clang}" -target bpf -mcpu=v1 -O2 -g -Wall -Werror -Wno-unused-variable -Wno-unused-function -fdebug-compilation-dir=. \
		-D"$define" -c core.bpf.c -o "$name.bpf.o"
	"${STRIP:-llvm-strip}" -g "$name.bpf.o"
done
