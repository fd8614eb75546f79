// Figures. Method: small series with awkward values, the SVG's text against what stands at round numbers and what a reader of XML would stumble over.

#include "chart.h"

#include "base/alloc.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char *drawn(const chart *c)
{
    BR_AUTO_DEINIT(br_buf) out = {0};
    chart_svg(c, &out);
    cr_assert_not(out.failed);
    return strdup(br_buf_text(&out));
}

static char *drawn_points(const double *x, const double *y, size_t n)
{
    chart_series series[8];
    for (size_t i = 0; i < n; i++) {
        series[i] = (chart_series){.name = "p", .x = &x[i], .y = &y[i], .n = 1};
    }
    return drawn(&(chart){.title = "t", .x_label = "x", .y_label = "y", .series = series, .n_series = n});
}

/// How often `part` is in `text`.
static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        n++;
    }
    return n;
}

Test(bookrunner_chart, axes_begin_and_end_at_round_numbers_around_the_values)
{
    char *svg = drawn_points((const double[]){0.13, 0.87}, (const double[]){-3.0, 41.0}, 2);
    // x: 0 to 1 in fifths; the ends stand at the edges of the drawing.
    cr_assert_eq(count(svg, "x=\"70.0\" y=\"398.0\" text-anchor=\"middle\">0</text>"), 1, "%s", svg);
    cr_assert_eq(count(svg, "x=\"550.0\" y=\"398.0\" text-anchor=\"middle\">1</text>"), 1, "%s", svg);
    cr_assert_eq(count(svg, "text-anchor=\"middle\">0.2</text>"), 1);
    cr_assert_eq(count(svg, "text-anchor=\"middle\">1.2</text>"), 0);
    // y: -10 to 50 in tens, upwards.
    cr_assert_eq(count(svg, "y=\"384.0\" text-anchor=\"end\">-10</text>"), 1, "%s", svg);
    cr_assert_eq(count(svg, "y=\"44.0\" text-anchor=\"end\">50</text>"), 1, "%s", svg);
    cr_assert_eq(count(svg, "text-anchor=\"end\">0</text>"), 1);
    free(svg);
}

Test(bookrunner_chart, values_that_are_all_the_same_or_hardly_apart_have_axes_too)
{
    char *svg = drawn_points((const double[]){0.0, 0.0}, (const double[]){0.35, 0.35}, 2);
    cr_assert_eq(count(svg, "<circle "), 2);
    cr_assert_eq(count(svg, "nan") + count(svg, "inf"), 0, "%s", svg);
    cr_assert_leq(count(svg, "<line "), 20);
    free(svg);
    svg = drawn_points((const double[]){1e-9, 3e-9}, (const double[]){1e12, 1e12 + 1e5}, 2);
    cr_assert_eq(count(svg, "nan") + count(svg, "inf"), 0, "%s", svg);
    cr_assert(count(svg, "<line ") >= 4 && count(svg, "<line ") <= 20, "%s", svg);
    cr_assert_eq(count(svg, "text-anchor=\"middle\">1e-09</text>"), 1, "%s", svg);
    free(svg);
}

Test(bookrunner_chart, names_labels_and_title_are_escaped)
{
    const double one = 1.0;
    const chart_series series = {.name = "a<b&c>\"d\"", .x = &one, .y = &one, .n = 1};
    char *svg =
        drawn(&(chart){.title = "<t>", .x_label = "x&x", .y_label = "</svg>", .series = &series, .n_series = 1});
    cr_assert_eq(count(svg, "a&lt;b&amp;c"), 1, "%s", svg);
    cr_assert_eq(count(svg, "&lt;t"), 1);
    cr_assert_eq(count(svg, "x&amp;x"), 1);
    cr_assert_eq(count(svg, "</svg>"), 1);
    cr_assert_eq(count(svg, "a<b") + count(svg, "b&c"), 0);
    free(svg);
}

Test(bookrunner_chart, one_value_is_a_point_with_its_name_and_more_are_a_line_of_a_legend)
{
    const double x[] = {0.0, 5.0, 10.0};
    const double y[] = {0.0, 1.0, 0.5};
    const chart_series series[] = {{.name = "line", .x = x, .y = y, .n = 3},
                                   {.name = "point", .x = x + 1, .y = y + 2, .n = 1},
                                   {.name = "other", .x = x, .y = y + 1, .n = 2}};
    char *svg = drawn(&(chart){.title = "t", .x_label = "x", .y_label = "y", .series = series, .n_series = 3});
    cr_assert_eq(count(svg, "<polyline "), 2);
    cr_assert_eq(count(svg, "points=\"70.0,380.0 310.0,40.0 550.0,210.0\""), 1, "%s", svg);
    cr_assert_eq(count(svg, "points=\"70.0,40.0 310.0,210.0\""), 1, "%s", svg);
    cr_assert_eq(count(svg, "<circle cx=\"310.0\" cy=\"210.0\""), 1, "%s", svg);
    cr_assert_eq(count(svg, "x=\"317.0\" y=\"214.0\" text-anchor=\"start\">point</text>"), 1, "%s", svg);
    // The legend has the lines alone, one below the other.
    cr_assert_eq(count(svg, "y=\"51.0\" text-anchor=\"start\">line</text>"), 1, "%s", svg);
    cr_assert_eq(count(svg, "y=\"69.0\" text-anchor=\"start\">other</text>"), 1, "%s", svg);
    cr_assert_eq(strncmp(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\"", 39), 0);
    free(svg);
}

Test(bookrunner_chart, memory_that_runs_out_is_told)
{
    const double one = 1.0;
    const chart_series series = {.name = "p", .x = &one, .y = &one, .n = 1};
    size_t live = br_alloc_live();
    br_buf out = {0};
    br_alloc_fail_after(0);
    chart_svg(&(chart){.title = "t", .x_label = "x", .y_label = "y", .series = &series, .n_series = 1}, &out);
    br_alloc_fail_after(SIZE_MAX);
    cr_assert(out.failed);
    br_buf_deinit(&out);
    cr_assert_eq(br_alloc_live(), live);
}
