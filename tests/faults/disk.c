// disk.c: what a disk may hold after power was lost, from the record of what was done to files.
#include "tests/faults/disk.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { SECTOR = 512 };

// splitmix64
uint64_t dice_roll(struct dice *d, uint64_t sides) {
  uint64_t x = d->state += 0x9e3779b97f4a7c15ULL;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
  return sides ? (x ^ x >> 31) % sides : 0;
}

// --- the record ----------------------------------------------------------------------------------

const struct record_head *record_at(const struct record *r) {
  if (r->at + sizeof(struct record_head) > r->length) return NULL;
  const struct record_head *head = (const struct record_head *)(r->bytes + r->at);
  return r->at + sizeof *head + head->length > r->length ? NULL : head;
}

void record_next(struct record *r) { r->at += sizeof(struct record_head) + record_at(r)->length; }

static bool is_kind(uint32_t kind) {
  return kind == 'W' || kind == 'T' || kind == 'S' || kind == 'O' || kind == 'D';
}

// Steps are not aligned in the file, and x86 and ARM do not mind.
bool record_open(struct record *r, const char *path) {
  *r = (struct record){0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0) return false;
  if (fstat(fd, &st) == 0 && st.st_size > 0)
    r->bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (r->bytes == NULL || r->bytes == MAP_FAILED) return false;
  r->length = (size_t)st.st_size;
  struct record all = *r;
  for (; record_at(&all); record_next(&all)) {
    if (!is_kind(record_at(&all)->kind)) break;
    r->steps++;
  }
  return all.at == r->length;
}

void record_close(struct record *r) { munmap((void *)r->bytes, r->length); }

// --- one file ------------------------------------------------------------------------------------

static void image_size(struct image *image, size_t size) {
  if (size > image->cap) {
    image->cap = size * 2;
    image->bytes = mem_resize(image->bytes, image->cap);
  }
  if (size > image->size) memset(image->bytes + image->size, 0, size - image->size);
  image->size = size;
}

static void image_write(struct image *image, uint64_t offset, const char *bytes, size_t length) {
  if (length == 0) return;
  if (offset + length > image->size) image_size(image, offset + length);
  assert(image->bytes);  // of that size, which is not 0
  memcpy(image->bytes + offset, bytes, length);
}

static void image_apply(struct image *image, const struct piece *p) {
  if (p->is_cut)
    image_size(image, p->offset);
  else
    image_write(image, p->offset, p->bytes, p->length);
}

// The sectors of the file that a write touches, each of which is there or is not.
static void image_apply_some(struct image *image, const struct piece *p, struct dice *dice) {
  uint64_t at = p->offset, end = p->offset + p->length;
  while (at < end) {
    uint64_t next = (at / SECTOR + 1) * SECTOR;
    if (next > end) next = end;
    if (dice_roll(dice, 2)) image_write(image, at, p->bytes + (at - p->offset), next - at);
    at = next;
  }
}

static void file_add(struct disk_file *f, const struct piece *piece) {
  if (f->piece_count == f->piece_cap) {
    f->piece_cap = f->piece_cap ? f->piece_cap * 2 : 64;
    f->pieces = mem_resize(f->pieces, f->piece_cap * sizeof *f->pieces);
  }
  f->pieces[f->piece_count++] = *piece;
  image_apply(&f->now, piece);
}

static void file_sync(struct disk_file *f) {
  for (size_t i = 0; i < f->piece_count; i++) image_apply(&f->synced, &f->pieces[i]);
  f->piece_count = 0;
}

static void file_lose(const struct disk_file *f, enum disk_loss loss, struct dice *dice,
                      struct image *out) {
  size_t keep = loss == LOSS_ALL ? 0 : f->piece_count;
  if (loss == LOSS_TAIL) keep = dice_roll(dice, f->piece_count + 1);
  for (size_t i = 0; i < keep; i++) {
    const struct piece *p = &f->pieces[i];
    bool torn = loss == LOSS_SECTORS || (loss == LOSS_TAIL && i + 1 == keep);
    if (loss == LOSS_SOME && dice_roll(dice, 2)) continue;
    if (torn && !p->is_cut)
      image_apply_some(out, p, dice);
    else
      image_apply(out, p);
  }
  // Its length may have reached the disk without what was written.
  if (loss != LOSS_NONE && f->now.size > out->size && dice_roll(dice, 8) == 0)
    image_size(out, f->now.size);
}

// --- the disk ------------------------------------------------------------------------------------

void disk_init(struct disk *d) { memset(d, 0, sizeof *d); }

void disk_fini(struct disk *d) {
  for (int i = 0; i < d->file_count; i++) {
    mem_free(d->files[i].now.bytes);
    mem_free(d->files[i].synced.bytes);
    mem_free(d->files[i].pieces);
  }
}

static const char *ending_of(const char *name, size_t length) {
  static const char *const endings[] = {"-wal", "-journal"};
  for (size_t i = 0; i < 2; i++) {
    size_t its = strlen(endings[i]);
    if (length > its && memcmp(name + length - its, endings[i], its) == 0) return endings[i];
  }
  return "";
}

static int name_of(struct disk *d, const struct record_head *step) {
  for (int i = 0; i < d->name_count; i++)
    if (d->names[i] == step->name) return i;
  assert(d->name_count < DISK_NAMES);
  int i = d->name_count++;
  d->names[i] = step->name;
  snprintf(d->endings[i], sizeof d->endings[i], "%s",
           ending_of((const char *)(step + 1), step->length));
  d->now[i] = d->synced[i] = -1;
  return i;
}

static void folder_change(struct disk *d, int name, int file) {
  assert(d->change_count < DISK_FILES);
  d->now[name] = file;
  d->changes[d->change_count++] = (struct disk_change){name, file};
}

static void folder_sync(struct disk *d) {
  memcpy(d->synced, d->now, sizeof d->now);
  d->change_count = 0;
}

static void came_to_be(struct disk *d, int name) {
  if (d->now[name] >= 0 && d->files[d->now[name]].now.size == 0) return;  // opened twice, empty
  assert(d->file_count < DISK_FILES);
  struct disk_file *f = &d->files[d->file_count++];
  memset(f, 0, sizeof *f);
  folder_change(d, name, (int)(f - d->files));
}

// SQLite syncs the folder with the first sync of a journal or a WAL.
static void synced(struct disk *d, int name, struct disk_file *f) {
  file_sync(f);
  if (*d->endings[name] && !f->folder_synced) folder_sync(d);
  f->folder_synced = true;
}

void disk_step(struct disk *d, const struct record_head *step) {
  int name = name_of(d, step);
  if (step->kind == 'O') {
    came_to_be(d, name);
    return;
  }
  if (step->kind == 'D') {
    folder_change(d, name, -1);
    if (step->offset) folder_sync(d);
    return;
  }
  if (d->now[name] < 0) return;  // written after its deletion: lost with it
  struct disk_file *f = &d->files[d->now[name]];
  if (step->kind == 'S')
    synced(d, name, f);
  else
    file_add(f, &(struct piece){.offset = step->offset,
                                .bytes = (const char *)(step + 1),
                                .length = step->length,
                                .is_cut = step->kind == 'T'});
}

static bool write_file(const char *path, const struct image *image) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool good = write(fd, image->bytes, image->size) == (ssize_t)image->size;
  return close(fd) == 0 && good;
}

bool disk_lose(const struct disk *d, enum disk_loss loss, struct dice *dice, const char *path) {
  int there[DISK_NAMES];
  memcpy(there, loss == LOSS_NONE ? d->now : d->synced, sizeof there);
  if (loss != LOSS_NONE && loss != LOSS_ALL) {
    int keep = (int)dice_roll(dice, (uint64_t)d->change_count + 1);
    for (int i = 0; i < keep; i++) there[d->changes[i].name] = d->changes[i].file;
  }
  bool good = true;
  char name[4096];
  snprintf(name, sizeof name, "%s-shm", path);
  unlink(name);
  for (int i = 0; i < d->name_count && good; i++) {
    snprintf(name, sizeof name, "%s%s", path, d->endings[i]);
    unlink(name);
    if (there[i] < 0) continue;
    const struct disk_file *f = &d->files[there[i]];
    struct image left = {0};
    image_write(&left, 0, f->synced.bytes, f->synced.size);
    file_lose(f, loss, dice, &left);
    good = write_file(name, &left);
    mem_free(left.bytes);
  }
  return good;
}
