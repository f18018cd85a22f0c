/* Small CO-RE programs, one for each way of tracing; build.sh makes an object of each.
 *
 * A program counts, in the map `counts`, the events of the process whose name is a key there; the loader has put the
 * key in. Names, because process ids are other ones in a PID namespace. Nothing is included: what a kernel struct must
 * have is declared here, and libbpf fits it to the running kernel's BTF.
 */

#define SEC(name) __attribute__((section(name), used))
#define RELOCATED __attribute__((preserve_access_index))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name

typedef unsigned char __u8;
typedef unsigned int __u32;
typedef unsigned long long __u64;

/* include/uapi/linux/bpf.h: numbers of map types and of helpers never change */
enum { HASH = 1, RINGBUF = 27, NAME = 16 };

static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*current_name)(void *buffer, __u32 size) = (void *)16;
static __u64 (*current_task)(void) = (void *)35;
static long (*read_kernel)(void *to, __u32 size, const void *from) = (void *)113;
static long (*seq_write)(void *seq, const void *data, __u32 size) = (void *)127;
static long (*output)(void *ring, void *data, __u64 size, __u64 flags) = (void *)130;

struct {
	__uint(type, HASH);
	__uint(max_entries, 1);
	__type(key, char[NAME]);
	__type(value, __u64);
} counts SEC(".maps");

struct task_struct {
	char comm[NAME];
} RELOCATED;

/* Whether the event is one of that process: its name, read where BTF says that this kernel keeps it. */
static inline __attribute__((always_inline)) int count(void)
{
	struct task_struct *task = (void *)current_task();
	char name[NAME] = {};
	__u64 *number;

	if (read_kernel(name, sizeof(name), &task->comm))
		return 0;
	number = lookup(&counts, name);
	if (number)
		__sync_fetch_and_add(number, 1);
	return number != 0;
}

#if defined(TRACEPOINT)

SEC("tracepoint/sched/sched_process_fork")
int program(void *context)
{
	count();
	return 0;
}

#elif defined(KPROBE)

SEC("kprobe/vfs_open")
int program(void *context)
{
	count();
	return 0;
}

#elif defined(FENTRY)

struct file {
	__u32 f_flags;
} RELOCATED;

SEC("fentry/vfs_open")
int program(__u64 *context)
{
	struct file *file = (void *)context[1];

	/* a field whose place BTF tells: the file was opened for reading only */
	if (!(file->f_flags & 3))
		count();
	return 0;
}

#elif defined(RING)

struct {
	__uint(type, RINGBUF);
	__uint(max_entries, 65536); /* a multiple of every page size */
} ring SEC(".maps");

SEC("raw_tracepoint/sched_process_fork")
int program(void *context)
{
	char name[NAME] = {};

	if (count()) {
		current_name(name, sizeof(name));
		output(&ring, name, sizeof(name), 0);
	}
	return 0;
}

#elif defined(KFUNC)

extern void bpf_rcu_read_lock(void) SEC(".ksyms");
extern void bpf_rcu_read_unlock(void) SEC(".ksyms");

SEC("tp_btf/sched_process_fork")
int program(__u64 *context)
{
	bpf_rcu_read_lock();
	count();
	bpf_rcu_read_unlock();
	return 0;
}

#elif defined(ITERATOR)

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
} RELOCATED;
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} RELOCATED;

SEC("iter/task")
int program(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	char name[NAME] = {};

	if (task && !read_kernel(name, sizeof(name), &task->comm))
		seq_write(context->meta->seq, name, sizeof(name));
	return 0;
}

#endif

char licence[] SEC("license") = "Dual MIT/GPL";
