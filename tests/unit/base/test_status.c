// Goal: one errno means one status everywhere. Method: each errno that has a status of its own, and others.

#include "base/status.h"

#include <criterion/criterion.h>
#include <errno.h>

Test(base_status, an_errno_has_one_status)
{
    static const struct {
        int error;
        br_status status;
    } cases[] = {
        {ENOSPC, BR_ERR_FULL},       {EDQUOT, BR_ERR_FULL},   {EFBIG, BR_ERR_FULL}, {ENOENT, BR_ERR_NOT_FOUND},
        {ENOTDIR, BR_ERR_NOT_FOUND}, {EEXIST, BR_ERR_EXISTS}, {EIO, BR_ERR_IO},     {ENOMEM, BR_ERR_NO_MEMORY},
        {EACCES, BR_ERR_IO},         {-30799, BR_ERR_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(br_errno_status(cases[i].error), cases[i].status, "errno %d", cases[i].error);
    }
}
