/* The types of two kernels; build.sh takes the BTF of each. */
enum bpf_prog_type { BPF_PROG_TYPE_KPROBE = 2, BPF_PROG_TYPE_TRACING = 26, BPF_PROG_TYPE_STRUCT_OPS = 27, BPF_PROG_TYPE_EXT = 28,
	BPF_PROG_TYPE_LSM = 29 };
enum bpf_map_type { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2 };
enum bpf_func_id {
	BPF_FUNC_map_update_elem = 2,
	BPF_FUNC_probe_read = 4,
	BPF_FUNC_skb_load_bytes = 26,
	BPF_FUNC_probe_read_kernel = 113,
};

struct inner {
#ifdef CHANGED
	long before;
#endif
	int first;
	int second;
};

#ifdef CHANGED
enum colour { RED = 1, GREEN = 20 };
struct thing {
	long before;
	int kept;
	struct { union { long other; int moved; }; };
	int widened;
	unsigned int pad : 5, flag : 2;
	struct inner in;
	int list[4];
	const char *text;
	int former;
};
#else
enum colour { RED = 1, GREEN = 2, BLUE = 3 };
struct thing {
	int kept;
	int moved;
	int gone;
	long widened;
	unsigned int flag : 3;
	struct inner in;
	int list[4];
	const char *text;
};
int bpf_thing(void) { return 1; }
#endif

struct thing_ops {
	int (*start)(struct thing *);
#ifndef CHANGED
	int (*stop)(struct thing *);
	int flags;
#endif
	char name[8];
};
struct bpf_struct_ops_thing_ops {
	struct thing_ops data;
};
typedef int number_t;
typedef void (*btf_trace_thing_done)(void *, struct thing *);

int do_thing(struct thing *thing) { return thing->kept; }
int bpf_fentry_test1(int a) { return a; }
int bpf_lsm_file_open(struct thing *thing) { return 0; }

enum bpf_prog_type prog_type;
enum bpf_map_type map_type;
enum bpf_func_id func_id;
enum colour colour;
number_t number;
btf_trace_thing_done done;
struct bpf_struct_ops_thing_ops thing_ops;
