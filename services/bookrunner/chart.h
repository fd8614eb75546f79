#ifndef BOOKRUNNER_CHART_H
#define BOOKRUNNER_CHART_H

/// A figure as SVG: lines over x, or named points. Axes begin and end at round numbers.
///
///     chart c = {.title = "Gates", .x_label = "step", .y_label = "gate", .series = series, .n_series = 2};
///     chart_svg(&c, &buf);

#include "base/buf.h"

typedef struct chart_series {
    const char *name;
    const double *x; ///< [n] finite
    const double *y; ///< [n] finite
    size_t n;        ///< 1: a point with its name beside it; more: a line
} chart_series;

typedef struct chart {
    const char *title;
    const char *x_label;
    const char *y_label;
    const chart_series *series; ///< at least one
    size_t n_series;
} chart;

/// Append the figure; `out->failed` says when memory ran out.
void chart_svg(const chart *c, br_buf *out);

#endif
