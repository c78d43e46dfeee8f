/* Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE). */
#ifndef SHAREDSOCK_WINSOCK_C_TYPES_H
#define SHAREDSOCK_WINSOCK_C_TYPES_H

/* The types of <sharedsock/winsock/types.hpp> for C: there the comments are. <sharedsock/winsock.h> includes the system's headers
   before this one. */

typedef unsigned char BYTE;
typedef unsigned char UCHAR;
typedef uint16_t USHORT;
typedef uint16_t WORD;
typedef uint32_t DWORD;
typedef uintptr_t DWORD_PTR;
typedef int32_t LONG;
typedef int BOOL;
typedef int INT;
typedef unsigned int UINT;
typedef uint32_t ULONG;
typedef char CHAR;
typedef uintptr_t UINT_PTR;
typedef UINT_PTR WPARAM;
typedef intptr_t LPARAM;
typedef intptr_t LRESULT;
typedef void* HANDLE;
typedef void* LPVOID;
typedef char* LPSTR;
typedef const char* LPCSTR;
typedef int* LPINT;
typedef DWORD* LPDWORD;
typedef struct HWND__* HWND; /* NOLINT(bugprone-forward-declaration-namespace): in C++ it has a namespace */

typedef UINT_PTR SOCKET;
typedef HANDLE WSAEVENT;
typedef HANDLE* LPHANDLE;
typedef WSAEVENT* LPWSAEVENT;
typedef unsigned int GROUP;

typedef struct sockaddr SOCKADDR, *PSOCKADDR, *LPSOCKADDR;
typedef struct sockaddr_in SOCKADDR_IN, *PSOCKADDR_IN, *LPSOCKADDR_IN;
typedef struct sockaddr_in6 SOCKADDR_IN6, *PSOCKADDR_IN6, *LPSOCKADDR_IN6;
typedef struct sockaddr_storage SOCKADDR_STORAGE, *PSOCKADDR_STORAGE, *LPSOCKADDR_STORAGE;
typedef sa_family_t ADDRESS_FAMILY;
typedef struct in_addr IN_ADDR, *PIN_ADDR, *LPIN_ADDR;
typedef struct in6_addr IN6_ADDR, *PIN6_ADDR, *LPIN6_ADDR;
typedef struct hostent HOSTENT, *PHOSTENT, *LPHOSTENT;
typedef struct servent SERVENT, *PSERVENT, *LPSERVENT;
typedef struct protoent PROTOENT, *PPROTOENT, *LPPROTOENT;
typedef struct addrinfo ADDRINFO, *PADDRINFO, *LPADDRINFO, ADDRINFOA, *PADDRINFOA, *LPADDRINFOA;
typedef struct linger LINGER, *PLINGER, *LPLINGER;
typedef struct timeval TIMEVAL, *PTIMEVAL, *LPTIMEVAL;

typedef union SOCKADDR_INET {
    SOCKADDR_IN Ipv4;
    SOCKADDR_IN6 Ipv6;
    ADDRESS_FAMILY si_family;
} SOCKADDR_INET, *PSOCKADDR_INET;

typedef struct WSAData {
    WORD wVersion;
    WORD wHighVersion;
    unsigned short iMaxSockets;
    unsigned short iMaxUdpDg;
    char* lpVendorInfo;
    char szDescription[256 + 1];
    char szSystemStatus[128 + 1];
} WSADATA, *PWSADATA, *LPWSADATA;

typedef struct WSABUF {
    ULONG len;
    char* buf;
} WSABUF, *PWSABUF, *LPWSABUF;

typedef struct WSAPOLLFD {
    SOCKET fd;
    short events;
    short revents;
} WSAPOLLFD, *PWSAPOLLFD, *LPWSAPOLLFD;

struct tcp_keepalive {
    ULONG onoff;
    ULONG keepalivetime;
    ULONG keepaliveinterval;
};

typedef int (*LPCONDITIONPROC)(LPWSABUF lpCallerId, LPWSABUF lpCallerData, void* lpSQOS, void* lpGQOS, LPWSABUF lpCalleeId,
                               LPWSABUF lpCalleeData, unsigned int* g, UINT_PTR dwCallbackData);

typedef struct WSANETWORKEVENTS {
    long lNetworkEvents;
    int iErrorCode[10];
} WSANETWORKEVENTS, *LPWSANETWORKEVENTS;

typedef struct WSAPROTOCOL_INFO {
    DWORD dwServiceFlags1;
    int iVersion;
    int iAddressFamily;
    int iMaxSockAddr;
    int iMinSockAddr;
    int iSocketType;
    int iProtocol;
    int iNetworkByteOrder;
    DWORD dwMessageSize;
    char szProtocol[255 + 1];
    BYTE reserved_ticket[64];
} WSAPROTOCOL_INFO, *LPWSAPROTOCOL_INFO, WSAPROTOCOL_INFOA, *LPWSAPROTOCOL_INFOA, WSAPROTOCOL_INFOW, *LPWSAPROTOCOL_INFOW;

/* For the prototypes only: there is no overlapped I/O here, the argument is null. */
typedef struct WSAOVERLAPPED* LPWSAOVERLAPPED; /* NOLINT(bugprone-forward-declaration-namespace): as above */
typedef void (*LPWSAOVERLAPPED_COMPLETION_ROUTINE)(DWORD error, DWORD bytes, LPWSAOVERLAPPED overlapped, DWORD flags);

#endif
