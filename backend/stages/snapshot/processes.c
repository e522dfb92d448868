#include "stages/snapshot/processes.h"

#include "base/cleanup.h"
#include "base/wire.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool processes_each(bool (*each)(void *ctx, pid_t pid), void *ctx)
{
    DIR *proc CLEANUP_CLOSEDIR = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        char *end;
        long pid = strtol(e->d_name, &end, 10);
        if (pid > 0 && !*end && each(ctx, (pid_t)pid))
            return true;
    }
    return false;
}

#define COMM_MAX 64

static void name_of(pid_t pid, char comm[static COMM_MAX])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *f CLEANUP_FCLOSE = fopen(path, "re");
    strcpy(comm, "?");
    if (f && fgets(comm, COMM_MAX, f))
        comm[strcspn(comm, "\n")] = '\0';
}

void processes_describe(pid_t pid, char out[static PROCESSES_TEXT_MAX])
{
    char comm[COMM_MAX];
    name_of(pid, comm);
    snprintf(out, PROCESSES_TEXT_MAX, "pid %d (%s)", (int)pid, comm);
}

bool processes_is_helper(pid_t pid)
{
    char path[64], stat[256] = "", state;
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f CLEANUP_FCLOSE = fopen(path, "re");
    if (!f || !fgets(stat, sizeof stat, f))
        return false;
    const char *comm = strchr(stat, '('), *end = strrchr(stat, ')');
    return comm && end && sscanf(end, ") %c %d", &state, &parent) == 2 && parent == getpid() &&
           (size_t)(end - comm - 1) == strlen(WIRE_HELPER_NAME) &&
           strncmp(comm + 1, WIRE_HELPER_NAME, strlen(WIRE_HELPER_NAME)) == 0;
}

bool processes_is_new(struct processes_seen *s, pid_t pid)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
    if (stat(path, &st) < 0)
        return true;
    for (size_t i = 0; i < s->count; i++)
        if (s->namespaces[i] == st.st_ino)
            return false;
    if (s->count < PROCESSES_NAMESPACES_MAX)
        s->namespaces[s->count++] = st.st_ino;
    return true;
}
