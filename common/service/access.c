#include "service/access.h"

const char *br_role_name(br_role role)
{
    static const char *const names[BR_ROLE_END] = {"none", "read", "desk", "operator"};
    br_assert(role < BR_ROLE_END);
    return names[role];
}
