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
/// Worker processes.
pub const WORKERS_MAX: u16 = 1_024;
/// Partitions a job may ask for.
pub const PARTITIONS_MAX: u64 = 1 << 32;
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
