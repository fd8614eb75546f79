#ifndef BOOKRUNNER_ADDRESS_H
#define BOOKRUNNER_ADDRESS_H

#include "service/paths.h"

/// Where a process serves HTTP, as it wrote into DIR/run: "http://127.0.0.1:8080"; "" when it has not said.
void process_address(char out[BR_PATH_BYTES], const char *directory, const char *name);

#endif
