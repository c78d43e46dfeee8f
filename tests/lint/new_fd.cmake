# cmake -D sources=src -P new_fd.cmake: no file of the library but new_fd.cpp gets a descriptor from the kernel, or from a function of
# another library that opens one, so that none of them is ever a standard number. And none but unique_fd.hpp closes one unseen.
cmake_minimum_required(VERSION 3.24)
set(calls "::(open|open64|openat|openat2|creat|memfd_create|socket|socketpair|accept|accept4|pipe|pipe2|epoll_create|epoll_create1\
|eventfd|timerfd_create|signalfd|inotify_init|inotify_init1|fanotify_init|dup|dup2|dup3|fopen|freopen|fdopen|popen|tmpfile|mkstemp\
|mkostemp|opendir|shm_open|mq_open|userfaultfd|perf_event_open|posix_openpt|getaddrinfo|getifaddrs|syslog) *\\(")
set(words "F_DUPFD|SYS_(open|openat|openat2|pidfd_open|pidfd_getfd|memfd_create|dup|dup3|epoll_create|eventfd|io_uring_setup|userfaultfd)\
|SYS_memfd|[io]*fstream|directory_iterator|random_device|SCM_RIGHTS *&&|CLONE_PIDFD")
file(GLOB_RECURSE files RELATIVE ${sources} ${sources}/*.cpp ${sources}/*.hpp)
list(LENGTH files count)
if(count LESS 100)
    message(SEND_ERROR "only ${count} files in ${sources}; have they moved?")
endif()
set(seen 0)
foreach(file IN LISTS files)
    file(STRINGS ${sources}/${file} lines REGEX "(^|[^A-Za-z_>])(${calls})|${words}|::close *\\(")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "//.*" "" code "${line}")
        if(code MATCHES "^#include" OR code MATCHES "[A-Za-z_]::(open|accept|socket|pipe|close|signals) *\\(")
            continue() # a function of ours
        endif()
        if(code MATCHES "(^|[^A-Za-z_>])${calls}" OR code MATCHES "${words}")
            if(file MATCHES "(^|/)new_fd\\.cpp$")
                math(EXPR seen "${seen} + 1")
            elseif(file MATCHES "(^|/)winsock/name_lookup\\.cpp$" AND code MATCHES "::getaddrinfo")
                continue() # for the program, which asked for it as it would ask the C library
            elseif(NOT (file MATCHES "(^|/)message\\.cpp$" AND code MATCHES "SCM_RIGHTS"))
                message(SEND_ERROR "${file} opens a descriptor of its own; use new_fd.hpp: ${line}")
            endif()
        elseif(code MATCHES "(^|[^A-Za-z_>])::close *\\(" AND NOT file MATCHES "(^|/)(new_fd\\.cpp|unique_fd\\.hpp)$")
            message(SEND_ERROR "${file} closes a number that may be another's; use unique_fd.hpp: ${line}")
        endif()
    endforeach()
endforeach()
if(seen LESS 14)
    message(SEND_ERROR "new_fd.cpp is seen to make ${seen} calls only; has their form changed?")
endif()
