/* A plugin of QEMU that counts what a program executes between two marks: close(BEGIN) and close(END), which fail and
 * change nothing. For each mark pair it appends a section to the file named by out=: a line "section", and one line for
 * each block that ran, its address, how often it ran, and its instructions.
 *
 * A block is what QEMU translates at once: instructions that run one after another. A block that QEMU translates again
 * is a block of its own here; whoever reads the file adds them up. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qemu-plugin.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum { CLOSE = 57, BEGIN = 990001, END = 990002 }; /* of arm64 Linux; arm_child.py has the same marks */

struct block {
  struct block *next;
  uint64_t address;
  qemu_plugin_u64 runs;
  uint64_t before; /* runs until the last BEGIN */
  size_t length;
  uint32_t words[];
};

/* The programs that are counted translate and mark in one thread. */
static struct block *blocks;
static FILE *out;

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
  size_t length = qemu_plugin_tb_n_insns(tb);
  struct block *block = calloc(1, sizeof *block + length * sizeof *block->words);

  if (!block)
    fail("no memory for the counts");
  block->address = qemu_plugin_tb_vaddr(tb);
  block->runs = qemu_plugin_scoreboard_u64(qemu_plugin_scoreboard_new(sizeof(uint64_t)));
  block->length = length;
  for (size_t i = 0; i < length; i++)
    qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i), &block->words[i], sizeof block->words[i]);
  block->next = blocks;
  blocks = block;
  qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64, block->runs, 1);
}

static void begin(void)
{
  for (struct block *block = blocks; block; block = block->next)
    block->before = qemu_plugin_u64_sum(block->runs);
}

static void end(void)
{
  fprintf(out, "section\n");
  for (struct block *block = blocks; block; block = block->next) {
    uint64_t runs = qemu_plugin_u64_sum(block->runs) - block->before;

    if (!runs)
      continue;
    fprintf(out, "%" PRIx64 " %" PRIu64, block->address, runs);
    for (size_t i = 0; i < block->length; i++)
      fprintf(out, " %08" PRIx32, block->words[i]);
    fputc('\n', out);
  }
  if (fflush(out))
    fail("the counts");
}

static void called(qemu_plugin_id_t id, unsigned int cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                   uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
  if (number != CLOSE)
    return;
  if ((int32_t)a1 == BEGIN)
    begin();
  else if ((int32_t)a1 == END)
    end();
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **given)
{
  for (int i = 0; i < count; i++)
    if (!strncmp(given[i], "out=", 4) && !(out = fopen(given[i] + 4, "w")))
      fail(given[i] + 4);
  if (!out) {
    fprintf(stderr, "arm_counter: out=FILE is missing\n");
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  return 0;
}
