#!/bin/sh
# Makes the objects anew, beside the sources: needs clang, llvm-strip, llvm-objcopy and libbpf's headers.
set -eu
cd "$(dirname "$0")"
here="-fdebug-compilation-dir=. -target bpf -O2 -g -Wall -Wno-unused-function -Wno-unused-variable"
include="-I/usr/include/$(uname -m)-linux-gnu"
for name in plain guarded unguarded called constant kinds helper unknown_helper kfunc targets externs arguments forbidden \
	operations flagged replacing placeholder unnamed stats; do
	define=$(echo "$name" | tr a-z A-Z)
	${CLANG:-clang} $here $include -DLICENCE='"GPL"' -D"$define" -c sample.bpf.c -o "$name.bpf.o"
	${STRIP:-llvm-strip} -g "$name.bpf.o"
done
${CLANG:-clang} $here $include -DLICENCE='"Proprietary"' -DPLAIN -c sample.bpf.c -o closed.bpf.o
${STRIP:-llvm-strip} -g closed.bpf.o
${CLANG:-clang} $here -c kernel.c -o kernel.o
${CLANG:-clang} $here -DCHANGED -c kernel.c -o changed.o
for name in kernel changed; do
	${OBJCOPY:-llvm-objcopy} --dump-section ".BTF=$name.btf" "$name.o"
	rm "$name.o"
done
