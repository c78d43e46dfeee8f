/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */
#ifndef SHAREDSOCK_WINSOCK_SYSTEM_SETS_H
#define SHAREDSOCK_WINSOCK_SYSTEM_SETS_H

/* FD_SETSIZE, in C and C++: what the program has defined, 1 024 at least. The C library's <sys/select.h> defines the same name as
   1 024, so a smaller number cannot be told from none (WSK-6). It also replaces a larger one: a program that defines one before it
   includes the C library's headers says SHAREDSOCK_FD_SETSIZE as well. */

#include <sys/select.h>

#ifdef SHAREDSOCK_FD_SETSIZE
#undef FD_SETSIZE
#define FD_SETSIZE SHAREDSOCK_FD_SETSIZE
#elif !defined(FD_SETSIZE) || FD_SETSIZE < 1024
#undef FD_SETSIZE
#define FD_SETSIZE 1024
#endif

#undef FD_ZERO
#undef FD_SET
#undef FD_CLR
#undef FD_ISSET

#endif
