# awk -f includes.awk FILE...: each file includes what it uses. For the names below, of the standard library and of the system,
# the header that declares the name must be included by the file itself, or, in x.cpp, by the x.hpp beside it. Prints what is
# missing, one line each; ends with 1 if there is any.
#
# The list is of the names that occur here; a name that is not in it is not checked.

function name(header, pattern) { headers[++count] = header; patterns[count] = "(^|[^A-Za-z0-9_:.>])(" pattern ")([^A-Za-z0-9_]|$)" }

BEGIN {
    name("algorithm", "std::(min|max|clamp|find|find_if|any_of|all_of|none_of|count_if|sort|stable_sort|copy|copy_n|fill|fill_n|remove_if|reverse|equal|min_element|max_element|lower_bound|upper_bound|for_each|generate|transform|shuffle|ranges::[a-z_]+)")
    name("array", "std::(array|to_array)")
    name("atomic", "std::(atomic|atomic_ref|atomic_thread_fence|atomic_signal_fence|memory_order[a-z_]*)")
    name("bit", "std::(endian|bit_cast|countr_zero|countl_zero|popcount|bit_ceil|bit_width|has_single_bit)")
    name("cerrno", "errno")
    name("charconv", "std::(from_chars|to_chars)")
    name("chrono", "std::chrono(_literals)?")
    name("compare", "std::(strong_ordering|weak_ordering|partial_ordering)")
    name("condition_variable", "std::condition_variable(_any)?")
    name("csignal", "SIG(TERM|KILL|STOP|CONT|INT|HUP|PIPE|CHLD|USR1|USR2|TTIN|TTOU|SEGV)|::(kill|raise|sigaction|sigemptyset|sigaddset|pthread_sigmask)")
    name("cstddef", "std::(size_t|byte|ptrdiff_t|nullptr_t|max_align_t)|offsetof")
    name("cstdint", "std::u?int(8|16|32|64|ptr|max)_t|U?INT(8|16|32|64)_MAX")
    name("cstdio", "std::(printf|fprintf|snprintf|fputs|puts|fopen|fclose|fread|fwrite|fflush|sscanf|FILE|perror|setvbuf|remove)")
    name("cstdlib", "std::(abort|getenv|exit|_Exit|quick_exit|strtoul|strtol|strtoull|atoi|malloc|free|system)|::setenv")
    name("cstring", "std::(memcpy|memset|memcmp|memchr|strlen|strcmp|strncmp|strrchr|strchr|strerror|memmove|strncpy)")
    name("ctime", "std::(time_t|tm|strftime|gmtime|localtime)|::(gmtime_r|localtime_r|clock_gettime)")
    name("deque", "std::deque")
    name("exception", "std::(exception|exception_ptr|current_exception|rethrow_exception|terminate|uncaught_exceptions)")
    name("filesystem", "std::filesystem")
    name("fstream", "std::(ifstream|ofstream|fstream)")
    name("functional", "std::(function|hash|less|greater|equal_to|ref|cref|reference_wrapper|invoke|bind)")
    name("initializer_list", "std::initializer_list")
    name("iterator", "std::(back_inserter|istreambuf_iterator|next|prev|advance|distance)")
    name("limits", "std::numeric_limits")
    name("map", "std::(map|multimap)")
    name("memory", "std::(unique_ptr|shared_ptr|weak_ptr|make_unique|make_shared|enable_shared_from_this|static_pointer_cast|dynamic_pointer_cast|addressof|allocator[a-z_]*|construct_at|destroy_at)")
    name("mutex", "std::(mutex|recursive_mutex|scoped_lock|unique_lock|lock_guard|once_flag|call_once|defer_lock|try_to_lock|adopt_lock)")
    name("new", "std::(bad_alloc|launder|nothrow|nothrow_t)")
    name("optional", "std::(optional|nullopt|make_optional|nullopt_t)")
    name("ostream", "std::(ostream|endl)")
    name("random", "std::(mt19937|mt19937_64|minstd_rand|random_device|uniform_int_distribution)")
    name("set", "std::(set|multiset)")
    name("span", "std::(span|as_bytes|as_writable_bytes)")
    name("sstream", "std::(ostringstream|istringstream|stringstream)")
    name("stdexcept", "std::(runtime_error|logic_error|invalid_argument|out_of_range|length_error)")
    name("stop_token", "std::(stop_token|stop_source|stop_callback)")
    name("string", "std::(string|to_string|stoi|stoul|stoull|stol|getline|u16string|wstring)")
    name("string_view", "std::string_view")
    name("system_error", "std::(errc|system_error|error_code|generic_category|system_category|make_error_code)")
    name("thread", "std::(thread|jthread|this_thread)")
    name("tuple", "std::(tuple|tie|make_tuple|apply|ignore)")
    name("type_traits", "std::(is_[a-z_]+_v|true_type|false_type|decay_t|remove_[a-z_]+_t|conditional_t|enable_if_t|underlying_type_t|invoke_result_t|integral_constant|is_constant_evaluated|type_identity_t|common_type_t)")
    name("unordered_map", "std::(unordered_map|unordered_multimap)")
    name("unordered_set", "std::unordered_set")
    name("utility", "std::(move|forward|exchange|pair|make_pair|swap|in_place|in_place_t|as_const|to_underlying|unreachable|index_sequence|make_index_sequence)")
    name("variant", "std::(variant|visit|get_if|holds_alternative|monostate)")
    name("vector", "std::vector")
    name("fcntl.h", "::(fcntl|open|openat)|O_(RDWR|RDONLY|WRONLY|CREAT|EXCL|NONBLOCK|CLOEXEC|PATH|NOFOLLOW|DIRECTORY|TMPFILE)|F_(GETFL|SETFL|GETFD|SETFD|DUPFD_CLOEXEC|SETLK|OFD_GETLK|ADD_SEALS|GET_SEALS)")
    name("netinet/in.h", "sockaddr_in6?|IPPROTO_(TCP|UDP|IP|IPV6)|INADDR_(ANY|LOOPBACK)|IN6ADDR_[A-Z_]+")
    name("netinet/tcp.h", "TCP_(INFO|NODELAY|MAXSEG|KEEPIDLE)|tcp_info")
    name("poll.h", "::poll|pollfd|POLL(IN|OUT|ERR|HUP|PRI|RDHUP|NVAL)")
    name("pthread.h", "::pthread_atfork")
    name("sched.h", "::(sched_yield|unshare|setns|sched_setaffinity)")
    name("sys/epoll.h", "::epoll_[a-z_0-9]+|epoll_event|EPOLL[A-Z_]+")
    name("sys/eventfd.h", "::eventfd|EFD_[A-Z]+")
    name("sys/ioctl.h", "::ioctl")
    name("sys/mman.h", "::(mmap|munmap|madvise|memfd_create|mprotect)|MAP_[A-Z]+|PROT_[A-Z]+|MFD_[A-Z_]+")
    name("sys/prctl.h", "::prctl|PR_[A-Z_]+")
    name("sys/random.h", "::getrandom")
    name("sys/resource.h", "::(getrlimit|setrlimit)|RLIMIT_[A-Z]+|rlimit")
    name("sys/signalfd.h", "::signalfd|signalfd_siginfo|SFD_[A-Z]+")
    name("sys/socket.h", "::(socket|socketpair|bind|listen|accept|accept4|connect|send|sendto|sendmsg|recv|recvfrom|recvmsg|shutdown|setsockopt|getsockopt|getsockname|getpeername)|SOCK_[A-Z]+|AF_[A-Z0-9]+|MSG_[A-Z]+|SOL_SOCKET|SO_[A-Z]+|SHUT_[A-Z]+|sockaddr_storage|msghdr|socklen_t|SCM_RIGHTS")
    name("sys/stat.h", "::(stat|fstat|fstatat|mkdir|mkdirat|mkfifo|mkfifoat|lstat|fchmod|chmod|umask)|struct stat|S_IS(REG|DIR|FIFO|SOCK|LNK)")
    name("sys/syscall.h", "::syscall|SYS_[a-z_0-9]+")
    name("sys/timerfd.h", "::timerfd_[a-z]+|TFD_[A-Z_]+")
    name("sys/uio.h", "iovec")
    name("sys/un.h", "sockaddr_un")
    name("sys/wait.h", "::(waitpid|waitid|wait)|WIF[A-Z]+|WEXITSTATUS|WTERMSIG|WNOHANG|P_PIDFD")
    name("unistd.h", "::(close|read|write|getpid|getppid|fork|pipe2|pipe|dup|dup2|dup3|execv|execve|execvp|_exit|unlink|unlinkat|ftruncate|geteuid|getuid|getgid|getegid|readlink|pread|pwrite|gethostname|alarm|pause|isatty|sysconf|setuid|setgid|linkat|rmdir)")
    # What one header is documented to bring along, beside its own name.
    same["cstddef"] = "cstdint"; # std::size_t comes with each of them
    brings["sys/socket.h", "sys/uio.h"] = 1; brings["netinet/in.h", "sys/socket.h"] = 1; brings["netinet/tcp.h", "netinet/in.h"] = 1 ; brings["linux/tcp.h", "netinet/tcp.h"] = 1
    brings["sstream", "string"] = 1; brings["fstream", "string"] = 1; brings["sstream", "ostream"] = 1; brings["fstream", "ostream"] = 1; brings["iostream", "ostream"] = 1
    brings["thread", "stop_token"] = 1; brings["condition_variable", "mutex"] = 1; brings["string", "initializer_list"] = 1; brings["vector", "initializer_list"] = 1
    brings["stdexcept", "exception"] = 1; brings["new", "exception"] = 1; brings["system_error", "stdexcept"] = 1
    brings["signal.h", "csignal"] = 1; brings["errno.h", "cerrno"] = 1; brings["sys/signalfd.h", "csignal"] = 1
}

function scan(path,    line, text, i, own, n) { # fills included[] and, for the file itself, used[]
    while ((getline line < path) > 0) {
        if (line ~ /^ *#include/) {
            n = line; sub(/^ *#include *[<"]/, "", n); sub(/[>"].*/, "", n); included[n] = 1
            continue
        }
        if (path != file) continue
        sub(/\/\/.*/, "", line); gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
        if (line !~ /[a-z]/) continue
        for (i = 1; i <= count; ++i) if (!(i in used) && line ~ patterns[i]) used[i] = line
    }
    close(path)
}

function has(header,    other) {
    if (header in included) return 1
    for (other in included) if ((other, header) in brings) return 1
    if (header == "cstddef" && (("cstdint" in included) || ("cstring" in included) || ("cstdio" in included)) && !needs_byte) return 1
    return 0
}

BEGIN {
    for (f = 1; f < ARGC; ++f) {
        file = ARGV[f]
        delete included; delete used
        scan(file)
        if (file ~ /\.cpp$/) { beside = file; sub(/\.cpp$/, ".hpp", beside); scan(beside) }
        for (i in used) {
            needs_byte = used[i] ~ /std::byte|offsetof|ptrdiff_t/
            if (!has(headers[i])) { print file ": " headers[i] "   for: " used[i]; missing = 1 }
        }
    }
    exit missing
}
