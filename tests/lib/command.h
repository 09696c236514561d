/* Commands of a shell, as a test uses them to make its surroundings. */
#ifndef TESTS_COMMAND_H
#define TESTS_COMMAND_H

/* 0, or else what system(3) returns. */
int __attribute__((format(printf, 1, 2))) command(const char *fmt, ...);
/* Fails the test that runs when the command does. */
void __attribute__((format(printf, 1, 2))) must(const char *fmt, ...);

#endif
