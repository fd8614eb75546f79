#ifndef BR_SERVICE_ACCESS_H
#define BR_SERVICE_ACCESS_H

/// Who asks, and what that user may do. Decisions only: configuration and headers in, user and role or a code out.

#include "service/http.h"

/// Each role may do what the former may. BR_ROLE_NONE is nobody's: a route that names it serves nothing.
typedef enum br_role { BR_ROLE_NONE, BR_ROLE_READ, BR_ROLE_DESK, BR_ROLE_OPERATOR, BR_ROLE_END } br_role;

const char *br_role_name(br_role role); ///< "read", "desk", "operator"

#endif
