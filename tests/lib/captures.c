/* The packets of tcpdump's own test captures. */
#include "tests/lib/captures.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>

#define LINK_ETHERNET 1
#define PCAP_US       0xa1b2c3d4u
#define PCAP_NS       0xa1b23c4du

/* https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap */
struct pcap_file {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap_length, link_type;
};

struct pcap_record {
	uint32_t seconds, fraction, length, length_on_wire;
};

static uint32_t
word(uint32_t value, bool swapped)
{
	return swapped ? __builtin_bswap32(value) : value;
}

static bool
file_walk(const char *name, FILE *file, captures_packet_f *packet, void *arg)
{
	static uint8_t data[1 << 16];
	struct pcap_file head;
	struct pcap_record record;
	bool swapped;
	size_t length;

	if (fread(&head, sizeof(head), 1, file) != 1)
		return false;
	swapped = head.magic != PCAP_US && head.magic != PCAP_NS;
	if (swapped && word(head.magic, true) != PCAP_US &&
		word(head.magic, true) != PCAP_NS)
		return false;
	if ((word(head.link_type, swapped) & 0xffff) != LINK_ETHERNET)
		return false;
	while (fread(&record, sizeof(record), 1, file) == 1) {
		length = word(record.length, swapped);
		/* The last one of many a file is cut. */
		if (length > sizeof(data) || fread(data, length, 1, file) != 1)
			break;
		packet(name, data, length, arg);
	}
	return true;
}

static unsigned
folder_walk(const char *path, captures_packet_f *packet, void *arg)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;
	char name[1024];
	FILE *file;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(name, "rb");
		if (file == NULL)
			continue;
		count += file_walk(entry->d_name, file, packet, arg);
		fclose(file);
	}
	if (folder != NULL)
		closedir(folder);
	return count;
}

unsigned
captures_each(captures_packet_f *packet, void *arg)
{
	const char *shared = getenv("GG_SHARED");
	char archive[256], into[] = "/tmp/captures.XXXXXX", text[640];
	unsigned count = 0;

	snprintf(archive, sizeof(archive),
		"%s/data/tcpdump-captures/captures.tar.gz",
		shared != NULL ? shared : "../shared");
	if (access(archive, R_OK) != 0) {
		printf("skipped: %s is not there\n", archive);
		return 0;
	}
	if (mkdtemp(into) == NULL)
		return 0;
	snprintf(text, sizeof(text), "tar -xzf '%s' -C %s", archive, into);
	if (system(text) != 0) {
		printf("skipped: %s cannot be unpacked\n", archive);
	} else {
		snprintf(text, sizeof(text), "%s/captures", into);
		count = folder_walk(text, packet, arg);
	}
	snprintf(text, sizeof(text), "rm -rf %s", into);
	if (system(text) != 0)
		printf("%s is left behind\n", into);
	return count;
}
