/* Loads a SavedModel through TensorFlow's C API and answers requests, as a server written in C++ would: no Python.
 *
 *     run_saved_model FOLDER REQUESTS ANSWERS
 *
 * REQUESTS holds int64s and bytes in the machine's order: the number of requests; for each the number of inputs and for
 * each of them its name ("node:0") and tensor; then the number of outputs and their names. A text is its length and its
 * bytes. A tensor is its TF_DataType, the number of dimensions, the dimensions, and either all float32 values or, for
 * strings, each element as a text. ANSWERS holds the tensors in the order asked.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

enum { MAX_DIMS = 8, MAX_TENSORS = 8 };

/* tensorflow::DisableXlaCompilation(), which TensorFlow Serving's main.cc calls unless asked not to. */
extern void disable_xla(void) __asm__("_ZN10tensorflow21DisableXlaCompilationEv") __attribute__((weak));

static TF_Status *status;

static void die(const char *what) {
  fprintf(stderr, "error: %s\n", what);
  exit(1);
}

static void check(void) {
  if (TF_GetCode(status) != TF_OK) die(TF_Message(status));
}

static void get(void *target, size_t size, FILE *file) {
  if (size && fread(target, size, 1, file) != 1) die("the request file is cut short");
}

static void put(const void *source, size_t size, FILE *file) {
  if (size && fwrite(source, size, 1, file) != 1) die("the answers cannot be written");
}

static int64_t get_number(FILE *file) {
  int64_t number;
  get(&number, sizeof number, file);
  return number;
}

static void put_number(int64_t number, FILE *file) { put(&number, sizeof number, file); }

static char *get_text(FILE *file, int64_t *length) {
  *length = get_number(file);
  char *text = malloc(*length + 1);
  get(text, *length, file);
  text[*length] = 0;
  return text;
}

static TF_Output get_place(TF_Graph *graph, FILE *file) {
  int64_t length;
  char *name = get_text(file, &length), *colon = strrchr(name, ':');
  *colon = 0;
  TF_Output place = {TF_GraphOperationByName(graph, name), atoi(colon + 1)};
  if (!place.oper) die("a signature names a node that is not in the graph");
  free(name);
  return place;
}

static TF_Tensor *get_tensor(FILE *file) {
  TF_DataType type = get_number(file);
  int rank = get_number(file);
  int64_t dims[MAX_DIMS], count = 1;
  for (int i = 0; i < rank; ++i) count *= dims[i] = get_number(file);
  size_t size = type == TF_STRING ? sizeof(TF_TString) : TF_DataTypeSize(type);
  TF_Tensor *tensor = TF_AllocateTensor(type, dims, rank, count * size);
  if (type != TF_STRING) {
    get(TF_TensorData(tensor), TF_TensorByteSize(tensor), file);
    return tensor;
  }
  TF_TString *elements = TF_TensorData(tensor);
  for (int64_t i = 0; i < count; ++i) {
    int64_t length;
    char *text = get_text(file, &length);
    TF_StringInit(&elements[i]);
    TF_StringCopy(&elements[i], text, length);
    free(text);
  }
  return tensor;
}

static void put_tensor(TF_Tensor *tensor, FILE *file) {
  put_number(TF_TensorType(tensor), file);
  put_number(TF_NumDims(tensor), file);
  for (int i = 0; i < TF_NumDims(tensor); ++i) put_number(TF_Dim(tensor, i), file);
  if (TF_TensorType(tensor) != TF_STRING) {
    put(TF_TensorData(tensor), TF_TensorByteSize(tensor), file);
    return;
  }
  TF_TString *elements = TF_TensorData(tensor);
  for (int64_t i = 0; i < TF_TensorElementCount(tensor); ++i) {
    put_number(TF_StringGetSize(&elements[i]), file);
    put(TF_StringGetDataPointer(&elements[i]), TF_StringGetSize(&elements[i]), file);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) die("usage: run_saved_model FOLDER REQUESTS ANSWERS");
  if (disable_xla) disable_xla();
  printf("TensorFlow %s, XLA %s\n", TF_Version(), disable_xla ? "off" : "as it is");
  status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  const char *tags[] = {"serve"};
  TF_Session *session =
      TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, argv[1], tags, 1, graph, NULL, status);
  check();
  FILE *requests = fopen(argv[2], "rb"), *answers = fopen(argv[3], "wb");
  if (!requests || !answers) die("the request or the answer file cannot be opened");
  for (int64_t left = get_number(requests); left; --left) {
    TF_Output inputs[MAX_TENSORS], outputs[MAX_TENSORS];
    TF_Tensor *given[MAX_TENSORS], *found[MAX_TENSORS];
    int given_count = get_number(requests);
    for (int i = 0; i < given_count; ++i) {
      inputs[i] = get_place(graph, requests);
      given[i] = get_tensor(requests);
    }
    int found_count = get_number(requests);
    for (int i = 0; i < found_count; ++i) outputs[i] = get_place(graph, requests);
    TF_SessionRun(session, NULL, inputs, given, given_count, outputs, found, found_count, NULL, 0, NULL, status);
    check();
    for (int i = 0; i < found_count; ++i) put_tensor(found[i], answers);
  }
  if (fclose(answers)) die("the answers cannot be written");
  return 0;
}
