//! Every maximum of tally, in one place. A queue, buffer, retry or wait without a line here is a defect.

/// Bytes of one request on the control socket, terminator included.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Bytes of replies that may wait for a client that does not read when another reply comes: then it is hung up on.
pub const REPLY_BACKLOG_BYTES_MAX: usize = 16 << 20;
/// Bytes of one reply that a client takes: an answer may have hundreds of millions of digits.
pub const REPLY_BYTES_MAX: usize = 1 << 30;
/// Bytes of an answer that is shown in a list of jobs; longer ones are left out there.
pub const LISTED_ANSWER_BYTES_MAX: usize = 1 << 10;
/// Clients connected at once; further ones are told so and closed.
pub const CLIENTS_MAX: usize = 1024;
/// Bytes of requests and replies under way on all connections of one user, when one of several grows.
pub const USER_BYTES_MAX: usize = 64 << 20;
/// Bytes read from one client in one turn, so that a fast one cannot starve the others.
pub const CLIENT_READ_BYTES_PER_TURN: usize = 64 << 10;
/// Bytes of one message between supervisor and worker once its pieces are put together.
pub const MESSAGE_BYTES_MAX: usize = 256 << 20;
/// Frames taken from one worker in one turn.
pub const FRAMES_PER_TURN: usize = 512;
/// Bytes kept of what a worker writes to its standard error: the tail.
pub const STDERR_TAIL_BYTES: usize = 4 << 10;
/// Jobs queued, running or paused at once.
pub const JOBS_OPEN_MAX: usize = 200_000;
/// Jobs of one user queued, running or paused at once.
pub const JOBS_OPEN_PER_USER_MAX: usize = 10_000;
/// Jobs that one connection has started and not been told the end of.
pub const STARTED_MAX: usize = 4_096;
/// Ends of started jobs told in one reply.
pub const NEXT_JOBS_MAX: usize = 64;
/// Jobs kept after their end, for `jobs --all`, `show` and `result`.
pub const JOBS_ENDED_MAX: usize = 1_000;
/// Jobs in one reply of a list; the next ones are asked for after these, so that others get their turn.
pub const JOBS_LISTED_MAX: usize = 2_000;
/// Jobs in one answer to a live view.
pub const TOP_JOBS_MAX: usize = 256;
/// Slots in one answer to a live view.
pub const TOP_WORKERS_MAX: usize = 256;
/// Milliseconds after which a command that lives on and has not answered its first line is asked about.
pub const COMMAND_SILENT_MS: u64 = 5_000;
/// Processes of all commands together that are looked at for what workers use.
pub const COMMAND_PROCESSES_LOOKED_AT_MAX: usize = 1_024;
/// Jobs that are looked at for one answer to a live view.
pub const TOP_LOOKED_AT_MAX: usize = 20_000;
/// Bytes of what a live view looks for.
pub const TOP_FILTER_BYTES_MAX: usize = 256;
/// Bytes of what a job is called in a live view.
pub const TOP_WHAT_BYTES_MAX: usize = 200;
/// Spans kept of what happened to the partitions of one job.
pub const HISTORY_SPANS_MAX: usize = 512;
/// Buckets in which the elements of one job are counted over time.
pub const HISTORY_BUCKETS_MAX: usize = 120;
/// Worker processes.
pub const WORKERS_MAX: u16 = 1_024;
/// Partitions a job may ask for.
pub const PARTITIONS_MAX: u64 = 1 << 32;
/// Pieces that ranges are cut into if so many are asked for and there are so many elements.
pub const RANGE_PIECES_ALWAYS: u64 = 1 << 16;
/// Elements of a piece of ranges that are cut into more.
pub const RANGE_PIECE_ELEMENTS: u64 = 1 << 16;
/// Pieces that files are cut into if so many are asked for and there are so many bytes. Where they are cut into more, a
/// piece has `FILE_GRAIN_BYTES`.
pub const FILE_PIECES_ALWAYS: u64 = 1 << 12;
/// Files of one job: each is a descriptor in the daemon, and in each of the job's workers.
pub const FILES_MAX: usize = 512;
/// Bytes of standard input that are held in memory; of a longer one all go to a file without a name.
pub const SPOOL_MEMORY_BYTES: u64 = 256 << 20;
/// Sources of one job.
pub const SOURCES_MAX: usize = 1_024;
/// Bytes of the decimal text of one integer in a request.
pub const INTEGER_TEXT_BYTES_MAX: usize = 10_000;
/// Tries of one partition that a job may ask for.
pub const RETRIES_MAX: u32 = 100;
/// Milliseconds that the completion of a line may take: a shell waits for it.
pub const COMPLETE_MS_MAX: u64 = 50;
/// Candidates of one completion; nobody reads more.
pub const COMPLETE_CANDIDATES_MAX: usize = 200;
/// Bytes of a file that are looked at for the names of its columns.
pub const COMPLETE_FILE_BYTES: u64 = 64 << 10;
/// Milliseconds of `--timeout`: about 31 years.
pub const TIMEOUT_MS_MAX: u64 = 1_000_000_000_000;
/// Bytes of an error text that a worker reports.
pub const ERROR_TEXT_BYTES_MAX: usize = 4 << 10;
/// Bytes of one row of the store.
pub const ROW_BYTES_MAX: usize = 1 << 30;
/// Bytes of the set-up packet a worker gets over its lifeline.
pub const SETUP_BYTES_MAX: usize = 4 << 10;
/// Bytes of a worker's answer to it: that its link is open, what confines it, and what does not and why.
pub const OPENED_BYTES_MAX: usize = 512;
/// Bytes of address space a worker can do with at the least: program, stacks and link.
pub const MEMORY_LIMIT_BYTES_MIN: u64 = 12 << 20;
/// Bytes of address space a process can have at the most on the systems this runs on.
pub const MEMORY_LIMIT_BYTES_MAX: u64 = 1 << 47;
/// Bytes that the bound on what one user's jobs hold in the daemon can be set to.
pub const MEMORY_PER_USER_BYTES_MAX: u64 = 1 << 44;
/// Bytes of a configuration file.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a job's state whose answers a daemon works out in its turn, which takes about a millisecond.
pub const ANSWER_AT_ONCE_BYTES_MAX: usize = 16 << 10;
/// Bytes of memory that the groups of one job may take, in the supervisor and in each worker.
pub const GROUPS_BYTES_MAX: usize = 256 << 20;
/// Times a job starts over because one more column turned out to be of floats.
pub const FLOAT_COLUMNS_MAX: usize = 64;
/// Columns that may group.
pub const BY_MAX: usize = 64;
/// Bytes of a file below which a partition is not cut.
pub const FILE_GRAIN_BYTES: u64 = 64 << 10;
/// Bytes of the name of a lock or a semaphore.
pub const LOCK_NAME_BYTES_MAX: usize = 255;
/// Names that are held or waited for at once: 2.5 MiB of names at the most.
pub const LOCK_NAMES_MAX: usize = 10_000;
/// Connections that hold or wait at once. Below `CLIENTS_MAX`, so that `tally locks` still gets in.
pub const LOCK_CLIENTS_MAX: usize = 896;
/// Grants that one connection has at once.
pub const LOCK_HOLDS_PER_CLIENT_MAX: usize = 256;
/// Grants that one user has at once, over all connections; not for root and operators.
pub const LOCK_HOLDS_PER_USER_MAX: usize = 2_000;
/// Permits of a semaphore.
pub const SEMAPHORE_PERMITS_MAX: u32 = 1_000_000;
/// Bytes kept of what a client says it runs.
pub const COMMAND_TEXT_BYTES_MAX: usize = 256;
/// Refused deadlocks that are remembered.
pub const DEADLOCKS_KEPT_MAX: usize = 32;
/// Waits of one deadlock that are named.
pub const DEADLOCK_EDGES_MAX: usize = 256;
/// Things one wait of a deadlock holds that are named.
pub const DEADLOCK_HOLDS_MAX: usize = 16;
/// Pairs "this was held when that was asked for" that are remembered; the oldest go first.
pub const LOCK_ORDERS_MAX: usize = 4_096;
/// Contradicting orders that are remembered, and those one grant is warned of.
pub const INVERSIONS_KEPT_MAX: usize = 32;
/// Warnings that come with one grant.
pub const LOCK_WARNINGS_MAX: usize = 3;
/// Fencing numbers that are reserved in the store at once. A crash leaves out as many at the most.
pub const FENCES_AHEAD: u64 = 100_000;
/// Bytes in which locks are handed over to another program of the daemon.
pub const HANDED_LOCKS_BYTES_MAX: usize = 256 << 20;
/// Bytes in which objects that are in no store are handed over to another program of the daemon.
pub const HANDED_OBJECTS_BYTES_MAX: usize = 256 << 20;
/// Objects that the daemon hosts.
pub const OBJECTS_MAX: usize = 100_000;
/// Objects of one user.
pub const OBJECTS_PER_USER_MAX: usize = 10_000;
/// Bytes that all objects take, about: what is in them, and `OBJECT_CELL_BYTES` for each key, element and item.
pub const OBJECTS_BYTES_MAX: usize = 512 << 20;
/// Bytes that the objects of one user take, for users without the right to operate.
pub const OBJECTS_BYTES_PER_USER_MAX: usize = 64 << 20;
/// Bytes that one object takes.
pub const OBJECT_BYTES_MAX: usize = 128 << 20;
/// Bytes that each key, element and item is counted with beside what is in it.
pub const OBJECT_CELL_BYTES: usize = 64;
/// Bytes of the name of an object.
pub const OBJECT_NAME_BYTES_MAX: usize = 255;
/// Bytes of a key of a dict.
pub const OBJECT_KEY_BYTES_MAX: usize = 4 << 10;
/// Bytes of what an object holds in one place.
pub const DATUM_BYTES_MAX: usize = 512 << 10;
/// Operations of one transaction.
pub const OPERATIONS_MAX: usize = 10_000;
/// Bytes of keys, elements and items in one reply, about; the rest is asked for with another request.
pub const OBJECT_PAGE_BYTES: usize = 1 << 20;
/// Items that a queue may hold, unless it is bounded closer.
pub const QUEUE_ITEMS_MAX: u64 = 1_000_000;
/// Times an item of a queue may be delivered, where that is bounded.
pub const DELIVERIES_MAX: u32 = 1_000;
/// Parties of a barrier; each is a connection.
pub const PARTIES_MAX: u32 = 1_024;
/// Bytes of the words of a command; the system takes no longer one.
pub const COMMAND_BYTES_MAX: usize = 128 << 10;
/// Bytes of the environment that a command comes with.
pub const ENVIRONMENT_BYTES_MAX: usize = 512 << 10;
/// Bytes of a path in a request.
pub const PATH_BYTES_MAX: usize = 4 << 10;
/// Bytes of a line that a kernel answers.
pub const KERNEL_LINE_BYTES_MAX: usize = 1 << 20;
/// The least and the most that a process of a kernel that has answered may take to end after its input has.
const KERNEL_PARTING_NS: (u64, u64) = (5_000_000_000, 60_000_000_000);

/// How long a process of a kernel may take to end after its input has, if its longest answer took so long: it may have taken
/// one question for two, and be at work on the second; and the job fails when it does not end. Half as long again, within bounds.
#[must_use]
pub const fn parting_ns(longest_ns: u64) -> u64 {
    let (least, most) = KERNEL_PARTING_NS;
    let ns = longest_ns.saturating_add(longest_ns / 2);
    if ns < least {
        least
    } else if ns > most {
        most
    } else {
        ns
    }
}

/// Files that a kernel may be allowed to have open.
pub const KERNEL_FILES_MAX: u64 = 1 << 20;
/// Processes that a kernel may be allowed to have.
pub const KERNEL_PROCESSES_MAX: u64 = 1 << 20;
/// Processors that can be named.
pub const CPUS_MAX: usize = 1_024;
/// Partitions for each worker where every partition is a process and their number was left open.
pub const PROCESSES_PER_WORKER: u64 = 4;
