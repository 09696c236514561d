/*
 * What libbpf and libxdp have to say goes to the debug log; the reason that
 * the kernel gave for refusing an attachment is kept for our own messages.
 */
#ifndef FASTPATH_LIBRARY_LOG_H
#define FASTPATH_LIBRARY_LOG_H

void library_log_open(void);
/* Forgets the kernel's last message. */
void library_log_forget(void);
/* The kernel's last message, or "". */
const char *library_log_kernel(void);

#endif
