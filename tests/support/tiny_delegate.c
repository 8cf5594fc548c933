/* A delegate of LiteRT for tests, as vendors ship theirs: a shared library with LiteRT's two plug-in functions.
 *
 * It computes float CONV_2D (valid, undilated, without activation), ADD, CONCATENATION, RESHAPE and LOGISTIC by itself, and
 * keeps what lies between them in its own memory. Options: "take": the operators to take, by LiteRT's names, separated by
 * commas (default: all of these); "fail": refuse with this text; "crash": "load" or "run"; "lie": add this to each score.
 * The structures are LiteRT's binary interface as far as it is used here (its common.h and builtin_op_data.h describe it).
 */
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
enum { OK = 0, ERROR = 1, INPUTS_MAX = 8, FLOAT32 = 1 };
enum { ADD = 0, CONCATENATION = 2, CONV_2D = 3, LOGISTIC = 14, RESHAPE = 22 };

typedef struct { int size; int data[]; } IntArray;
typedef struct { int type; void* params; } Quantization;
typedef struct {
  int type;
  float* data;
  IntArray* dims;
  struct { float scale; int32_t zero; } params;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  void* delegate;
  int buffer_handle;
  bool data_is_stale, is_variable;
  Quantization quantization;
  void* sparsity;
  const IntArray* dims_signature;
} Tensor;
typedef struct {
  IntArray *inputs, *outputs, *intermediates, *temporaries;
  void *user_data, *builtin_data;
} Node;
typedef struct Context Context;
typedef struct {
  void* (*init)(Context*, const char*, size_t);
  void (*free)(Context*, void*);
  int (*prepare)(Context*, Node*);
  int (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* async_kernel;
  uint64_t inplace_operator;
} Registration;
typedef struct Delegate {
  void* data;
  int (*prepare)(Context*, struct Delegate*);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void* opaque_builder;
} Delegate;
struct Context {
  size_t tensors_size;
  int (*get_execution_plan)(Context*, IntArray**);
  Tensor* tensors;
  void* impl;
  void *resize_tensor, *report_error, *add_tensors;
  int (*get_node)(Context*, int, Node**, Registration**);
  int (*replace_nodes)(Context*, Registration, const IntArray*, Delegate*);
};
typedef struct { Delegate* delegate; IntArray *nodes, *inputs, *outputs; } DelegateParams;
typedef struct { int padding, stride_width, stride_height, activation; } ConvParams;

typedef struct { bool crash_in_run; float lie; char take[128]; } Settings;
typedef struct { int op, count, inputs[INPUTS_MAX], output; void* params; } Step;
typedef struct { const Settings* settings; int count; float** held; size_t tensors; Step steps[]; } Part;

static const struct { int op; const char* name; } NAMES[] = {
    {ADD, "ADD"}, {CONCATENATION, "CONCATENATION"}, {CONV_2D, "CONV_2D"}, {LOGISTIC, "LOGISTIC"}, {RESHAPE, "RESHAPE"}};

static bool takes(const Settings* settings, const Context* context, const Node* node, int op) {
  for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
    if (NAMES[i].op == op)
      return node->inputs->size <= INPUTS_MAX && context->tensors[node->inputs->data[0]].type == FLOAT32 &&
             context->tensors[node->outputs->data[0]].type == FLOAT32 &&
             (!*settings->take || strstr(settings->take, NAMES[i].name));
  return false;
}

static void* part_init(Context* context, const char* buffer, size_t length) {
  (void)length;
  const DelegateParams* params = (const DelegateParams*)buffer;
  Part* part = calloc(1, sizeof *part + params->nodes->size * sizeof(Step));
  part->settings = params->delegate->data;
  part->count = params->nodes->size;
  part->tensors = context->tensors_size;
  part->held = calloc(part->tensors, sizeof *part->held);
  for (int i = 0; i < part->count; i++) {
    Node* node;
    Registration* registration;
    context->get_node(context, params->nodes->data[i], &node, &registration);
    Step* step = &part->steps[i];
    step->op = registration->builtin_code;
    step->count = node->inputs->size;
    memcpy(step->inputs, node->inputs->data, step->count * sizeof(int));
    step->output = node->outputs->data[0];
    step->params = node->builtin_data;
  }
  return part;
}

static void part_free(Context* context, void* buffer) {
  (void)context;
  Part* part = buffer;
  for (size_t i = 0; i < part->tensors; i++) free(part->held[i]);
  free(part->held);
  free(part);
}

static int part_prepare(Context* context, Node* node) {
  (void)context, (void)node;
  return OK;
}

/* What LiteRT gave no memory, because it lies between two operators of this part, gets some here. */
static float* data_of(Context* context, Part* part, int tensor) {
  if (context->tensors[tensor].data) return context->tensors[tensor].data;
  if (!part->held[tensor]) part->held[tensor] = malloc(context->tensors[tensor].bytes);
  return part->held[tensor];
}

static size_t count_of(const Context* context, int tensor) { return context->tensors[tensor].bytes / sizeof(float); }

static void convolve(Context* context, Part* part, const Step* step) {
  const ConvParams* params = step->params;
  const int *in = context->tensors[step->inputs[0]].dims->data, *kernel = context->tensors[step->inputs[1]].dims->data;
  const int* out = context->tensors[step->output].dims->data;
  const float *source = data_of(context, part, step->inputs[0]), *weights = data_of(context, part, step->inputs[1]);
  const float* bias = data_of(context, part, step->inputs[2]);
  float* result = data_of(context, part, step->output);
  for (int y = 0; y < out[1]; y++)
    for (int x = 0; x < out[2]; x++)
      for (int o = 0; o < out[3]; o++) {
        float sum = bias[o];
        for (int ky = 0; ky < kernel[1]; ky++) {
          const int row = y * params->stride_height + ky, column = x * params->stride_width;
          const float* a = source + ((size_t)row * in[2] + column) * in[3];
          const float* b = weights + ((size_t)o * kernel[1] + ky) * kernel[2] * kernel[3];
          for (int k = 0; k < kernel[2] * kernel[3]; k++) sum += a[k] * b[k];
        }
        *result++ = sum;
      }
}

static void concatenate(Context* context, Part* part, const Step* step) {
  const IntArray* dims = context->tensors[step->output].dims;
  const int axis = *(const int*)step->params;
  size_t outer = 1, done = 0, inner = 1;
  for (int i = 0; i < axis; i++) outer *= dims->data[i];
  for (int i = axis; i < dims->size; i++) inner *= dims->data[i];
  float* result = data_of(context, part, step->output);
  for (int i = 0; i < step->count; i++) {
    const float* source = data_of(context, part, step->inputs[i]);
    const size_t width = count_of(context, step->inputs[i]) / outer;
    for (size_t row = 0; row < outer; row++) memcpy(result + row * inner + done, source + row * width, width * sizeof(float));
    done += width;
  }
}

static int part_invoke(Context* context, Node* node) {
  Part* part = node->user_data;
  if (part->settings->crash_in_run) raise(SIGSEGV);
  for (const Step* step = part->steps; step < part->steps + part->count; step++) {
    const float* first = data_of(context, part, step->inputs[0]);
    float* result = data_of(context, part, step->output);
    const size_t count = count_of(context, step->output);
    if (step->op == CONV_2D) convolve(context, part, step);
    if (step->op == CONCATENATION) concatenate(context, part, step);
    if (step->op == RESHAPE) memmove(result, first, count * sizeof(float));
    if (step->op == ADD) {
      const float* second = data_of(context, part, step->inputs[1]);
      for (size_t i = 0; i < count; i++) result[i] = first[i] + second[i];
    }
    if (step->op == LOGISTIC)
      for (size_t i = 0; i < count; i++) result[i] = 1 / (1 + expf(-first[i])) + part->settings->lie;
  }
  return OK;
}

static int delegate_prepare(Context* context, Delegate* delegate) {
  IntArray* plan;
  if (context->get_execution_plan(context, &plan) != OK) return ERROR;
  IntArray* taken = malloc(sizeof *taken + plan->size * sizeof(int));
  taken->size = 0;
  for (int i = 0; i < plan->size; i++) {
    Node* node;
    Registration* registration;
    context->get_node(context, plan->data[i], &node, &registration);
    if (takes(delegate->data, context, node, registration->builtin_code)) taken->data[taken->size++] = plan->data[i];
  }
  Registration part = {.init = part_init, .free = part_free, .prepare = part_prepare, .invoke = part_invoke,
                       .custom_name = "TinyDelegate", .version = 1};
  const int status = taken->size ? context->replace_nodes(context, part, taken, delegate) : OK;
  free(taken);
  return status;
}

EXPORT Delegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count, void (*report)(const char*)) {
  Settings* settings = calloc(1, sizeof *settings);
  for (size_t i = 0; i < count; i++) {
    if (!strcmp(keys[i], "take")) strncpy(settings->take, values[i], sizeof settings->take - 1);
    else if (!strcmp(keys[i], "lie")) settings->lie = strtof(values[i], NULL);
    else if (!strcmp(keys[i], "crash") && !strcmp(values[i], "load")) raise(SIGSEGV);
    else if (!strcmp(keys[i], "crash")) settings->crash_in_run = true;
    else {
      report(!strcmp(keys[i], "fail") ? values[i] : "this option is unknown");
      free(settings);
      return NULL;
    }
  }
  Delegate* delegate = calloc(1, sizeof *delegate);
  delegate->data = settings;
  delegate->prepare = delegate_prepare;
  return delegate;
}

EXPORT void tflite_plugin_destroy_delegate(Delegate* delegate) {
  if (!delegate) return; /* LiteRT's Python package destroys what was refused, too */
  free(delegate->data);
  free(delegate);
}
