// Goal: a shortlist holds the best, the lowest field where there is a tie, in the order of fields. Method: by hand.

#include "explain/context.h"

#include <criterion/criterion.h>
#include <math.h>

Test(explain_shortlist, gives_a_disputed_place_to_the_lowest_field)
{
    // When field 4 comes, one of the equal fields 1 and 2 has to go.
    float score[] = {0.0f, 1.0f, 1.0f, 0.5f, 2.0f};
    br_shortlist list = br_shortlist_of(score, 5, 2, &(br_field_set){0});
    cr_assert_eq(list.n, 2);
    cr_assert_eq(list.fields[0], 1);
    cr_assert_eq(list.fields[1], 4);
}

Test(explain_shortlist, leaves_out_what_is_chosen_or_not_finite)
{
    float score[] = {5.0f, 4.0f, -INFINITY, 2.0f, NAN};
    br_field_set set = {.n = 1, .fields = {1}};
    br_shortlist list = br_shortlist_of(score, 5, 8, &set);
    cr_assert_eq(list.n, 2);
    cr_assert_eq(list.fields[0], 0);
    cr_assert_eq(list.fields[1], 3);
    cr_assert_eq(br_shortlist_of(score, 5, 0, &set).n, 0);
}
