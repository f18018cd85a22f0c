/* What the tests of `kdiag explain FILE.bpf.o` read; build.sh makes an object of each program. The kernels that they
 * are held against are in kernel.c: types only, one as the programs expect it and one that has changed.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define RELOCATED __attribute__((preserve_access_index))

enum colour { RED = 1, GREEN = 2, BLUE = 3 };
enum bpf_func_id___tested { BPF_FUNC_tested = 250 };

struct inner {
	int first;
	int second;
} RELOCATED;

struct thing {
	int kept;
	int moved;
	int gone;
	long widened;
	unsigned int flag : 3;
	struct inner in;
	int list[4];
	const char *text;
} RELOCATED;

struct thing___old {
	int former;
} RELOCATED;

struct absent {
	int any;
} RELOCATED;

typedef int number_t;

const volatile bool use_gone = false;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, int);
	__type(value, struct inner);
} table SEC(".maps");

char LICENSE[] SEC("license") = LICENCE;

static int put(int value)
{
	int key = 0;
	struct inner one = { value, 0 };

	bpf_map_update_elem(&table, &key, &one, 0);
	return 0;
}

#define READ(field) ({ typeof(thing->field) _v = 0; bpf_probe_read_kernel(&_v, sizeof(_v), &thing->field); (int)(long)_v; })

#if defined(PLAIN)
SEC("kprobe/do_thing")
int program(struct thing *thing)
{
	return put(READ(kept) + READ(moved) + READ(in.second) + READ(list[2]));
}

#elif defined(GUARDED)
SEC("kprobe/do_thing")
int program(struct thing *thing)
{
	if (bpf_core_field_exists(thing->gone))
		return put(READ(gone));
	return put(READ(kept));
}

#elif defined(UNGUARDED)
SEC("kprobe/do_thing")
int program(struct thing *thing)
{
	return put(READ(gone));
}

#elif defined(CALLED)
static __attribute__((noinline)) int has_gone(void)
{
	struct thing *thing = 0;

	return bpf_core_field_exists(thing->gone);
}

SEC("kprobe/do_thing")
int program(struct thing *thing)
{
	if (has_gone())
		return put(READ(gone));
	return put(0);
}

#elif defined(CONSTANT)
SEC("kprobe/do_thing")
int program(struct thing *thing)
{
	if (use_gone)
		return put(READ(gone));
	return put(READ(kept));
}

#elif defined(KINDS)
SEC("kprobe/do_thing")
int program(struct thing *thing)
{
	struct absent *absent = (void *)thing;
	int sum = BPF_CORE_READ_BITFIELD_PROBED(thing, flag);

	sum += bpf_core_field_size(thing->widened);
	sum += bpf_core_type_exists(struct thing) + bpf_core_type_exists(struct absent);
	sum += bpf_core_type_size(struct thing) + bpf_core_type_exists(number_t);
	sum += bpf_core_type_id_local(struct thing) + bpf_core_type_id_kernel(struct thing);
	sum += bpf_core_enum_value_exists(enum colour, BLUE) + bpf_core_enum_value(enum colour, GREEN);
	sum += bpf_core_field_exists(absent->any);
	return put(sum + ((struct thing___old *)thing ? bpf_core_field_exists(struct thing___old, former) : 0));
}

#elif defined(HELPER)
SEC("kprobe/do_thing")
int program(struct thing *thing)
{
	static long (*tested)(void) = (void *)250;

	if (bpf_core_enum_value_exists(enum bpf_func_id___tested, BPF_FUNC_tested))
		return put(tested());
	return put(0);
}

#elif defined(UNKNOWN_HELPER)
SEC("kprobe/do_thing")
int program(struct thing *thing)
{
	static long (*tested)(void) = (void *)250;

	return put(tested());
}

#elif defined(KFUNC)
extern int bpf_thing(void) __ksym;

SEC("tp_btf/thing_done")
int program(void *context)
{
	return put(bpf_thing());
}

#elif defined(TARGETS)
SEC("fentry/do_thing")
int at_entry(void *context)
{
	return put(1);
}

SEC("fexit/no_such_function")
int at_exit(void *context)
{
	return put(2);
}

SEC("?lsm/file_open")
int hook(void *context)
{
	return put(3);
}

SEC("nonsense/at_all")
int nonsense(void *context)
{
	return put(4);
}

#elif defined(EXTERNS)
extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_NO_SUCH_OPTION __kconfig;
extern bool CONFIG_NOT_NEEDED __kconfig __weak;
extern const void vfs_read __ksym;
extern const void no_such_symbol __ksym __weak;

SEC("cgroup_skb/egress")
int program(void *context)
{
	return put(LINUX_KERNEL_VERSION + CONFIG_NO_SUCH_OPTION + CONFIG_NOT_NEEDED + (&no_such_symbol == &vfs_read));
}

SEC("struct_ops/operation")
int operation(void *context)
{
	return put(1);
}

#elif defined(ARGUMENTS)
extern int LINUX_KERNEL_VERSION __kconfig;

SEC("tp_btf/thing_done")
int program(unsigned long long *context)
{
	if (LINUX_KERNEL_VERSION >= (6 << 16))
		return put(context[0] != 0);
	return put(context[1] != 0);
}

SEC("fentry/do_thing")
int entered(unsigned long long *context)
{
	return put(context[0] != 0);
}

SEC("fexit/do_thing")
int left(unsigned long long *context)
{
	return put(context[1]);
}

#elif defined(FORBIDDEN)
SEC("kprobe/do_thing")
int program(void *context)
{
	long bytes = 0;

	bpf_skb_load_bytes(context, 0, &bytes, sizeof(bytes));
	return put(bytes);
}

#elif defined(OPERATIONS)
struct thing_ops___v1 {
	int (*start)(struct thing *);
	int (*stop)(struct thing *);
	int flags;
	char name[8];
};
struct other_ops {
	int (*any)(void);
};

SEC("struct_ops/start")
int start(unsigned long long *context)
{
	return put(1);
}

SEC("struct_ops/stop")
int stop(unsigned long long *context)
{
	return put(2);
}

SEC("?struct_ops/never")
int never(unsigned long long *context)
{
	return put(3);
}

SEC(".struct_ops")
struct thing_ops___v1 ours = { .start = (void *)start, .stop = (void *)stop, .name = "ours" };

SEC("?.struct_ops.link")
struct other_ops others = { .any = (void *)never };

#elif defined(FLAGGED)
struct thing_ops {
	int (*start)(struct thing *);
	int flags;
};

SEC("struct_ops/start")
int start(unsigned long long *context)
{
	return put(1);
}

SEC("struct_ops/alone")
int alone(unsigned long long *context)
{
	return put(1);
}

SEC(".struct_ops.link")
struct thing_ops flagged = { .start = (void *)start, .flags = 1 };

#elif defined(REPLACING)
SEC("freplace/old_function")
int replacing(void *context)
{
	return put(1);
}

#elif defined(PLACEHOLDER)
SEC("kprobe/placeholder")
int placeholder(void *context)
{
	return put(1);
}
#elif defined(UNNAMED)
SEC("kprobe")
int do_thing(void *context)
{
	return put(1);
}

SEC("kretprobe")
int do_old_thing(void *context)
{
	return put(1);
}

SEC("usdt")
int anywhere(void *context)
{
	return put(1);
}

SEC("uprobe/nowhere")
int nowhere(void *context)
{
	return put(1);
}
#elif defined(STATS)
SEC("tracepoint/syscalls/sys_enter_newstat")
int enter(void *context)
{
	return put(1);
}

SEC("tracepoint/syscalls/sys_exit_newstat")
int leave(void *context)
{
	return put(1);
}
#endif
