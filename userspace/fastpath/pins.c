/* The pins below the pin path. */
#include "fastpath/pins.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

#include "base/file.h"

static int
pin_name(char out[PATH_MAX], const char *pin_path, const char *folder,
	const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s/%s%s%s", pin_path, folder,
		name == NULL ? "" : "/", name == NULL ? "" : name);

	return n < 0 || n >= PATH_MAX ? -1 : 0;
}

/* The file system that path would be made on: that of its first ancestor. */
static int
filesystem_of(const char *path, struct statfs *fs)
{
	char at[PATH_MAX];
	char *slash;

	if (snprintf(at, sizeof(at), "%s", path) >= (int)sizeof(at)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	while (statfs(at, fs) != 0) {
		if (errno != ENOENT)
			return -1;
		slash = strrchr(at, '/');
		if (slash == NULL || slash == at)
			return statfs(slash == at ? "/" : ".", fs);
		*slash = '\0';
	}
	return 0;
}

int
pins_prepare(const char *pin_path, const char *folder, struct error *err)
{
	char path[PATH_MAX];
	struct statfs fs;

	if (pin_path == NULL || pin_path[0] == '\0')
		return error_set(err, ERROR_CONFIG, "no pin path is set");
	if (filesystem_of(pin_path, &fs) != 0)
		return error_errno(err, errno, "%s", pin_path);
	if ((unsigned long)fs.f_type != BPF_FS_MAGIC)
		return error_set(err, ERROR_SYSTEM,
			"%s is not on a bpffs; mount bpffs: "
			"mount -t bpf bpf /sys/fs/bpf",
			pin_path);
	if (pin_name(path, pin_path, folder, NULL) != 0)
		return error_set(err, ERROR_CONFIG, "the pin path is too long");
	return file_make_folders(path, 0700, err);
}

int
pins_get(const char *pin_path, const char *folder, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (pin_path == NULL || pin_name(path, pin_path, folder, name) != 0)
		return -1;
	fd = bpf_obj_get(path);
	return fd < 0 ? -1 : fd;
}

int
pins_set(const char *pin_path, const char *folder, const char *name, int fd,
	struct error *err)
{
	char path[PATH_MAX];

	if (pin_name(path, pin_path, folder, name) != 0)
		return error_set(err, ERROR_CONFIG, "the pin path is too long");
	if (bpf_obj_pin(fd, path) == 0)
		return 0;
	if (errno != EEXIST)
		return error_errno(err, errno, "cannot pin %s", path);
	if (unlink(path) != 0 || bpf_obj_pin(fd, path) != 0)
		return error_errno(err, errno, "cannot replace the pin %s",
			path);
	return 0;
}

void
pins_remove(const char *pin_path, const char *folder, const char *name)
{
	char path[PATH_MAX];

	if (pin_path != NULL && pin_name(path, pin_path, folder, name) == 0)
		unlink(path);
}

void
pins_remove_folder(const char *pin_path, const char *folder)
{
	char path[PATH_MAX];
	struct dirent *entry;
	struct statfs fs;
	DIR *dir;

	/* A pin path set wrongly must not cost anybody's files. */
	if (pin_path == NULL || statfs(pin_path, &fs) != 0 ||
		(unsigned long)fs.f_type != BPF_FS_MAGIC ||
		pin_name(path, pin_path, folder, NULL) != 0)
		return;
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		pins_remove(pin_path, folder, entry->d_name);
	closedir(dir);
	rmdir(path);
}

void
pins_remove_all(const char *pin_path)
{
	pins_remove_folder(pin_path, PINS_MAPS);
	pins_remove_folder(pin_path, PINS_PROGRAMS);
}
