/* A child process that a test runs, mostly with fewer privileges. */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

/* Runs it in a child; the test fails unless it returns 0 there. */
void child_run(int (*run)(const void *arg), const void *arg);
/* In the child: becomes nobody, for good: 0 or -1. */
int child_drop_privileges(void);
/* In the child: CAP_SYS_ADMIN stays permitted, but not in effect: 0 or -1. */
int child_lower_sys_admin(void);

#endif
