#include "chart.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 720, HEIGHT = 440, LEFT = 70, RIGHT = 170, TOP = 40, BOTTOM = 60, N_TICKS = 6, LEGEND_LINE = 18 };

// Told apart by people who do not see red and green as different, too (Okabe and Ito 2008).
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"};

/// What one axis shows: from `low` to `high` in steps of `tick`.
typedef struct axis {
    double low, high, tick;
} axis;

static double round_tick(double span)
{
    double rough = span / (N_TICKS - 1);
    double power = pow(10.0, floor(log10(rough)));
    double lead = rough / power;
    return power * (lead <= 1.0 ? 1.0 : lead <= 2.0 ? 2.0 : lead <= 5.0 ? 5.0 : 10.0);
}

static axis axis_of(const chart *c, bool of_x)
{
    double low = INFINITY;
    double high = -INFINITY;
    for (size_t s = 0; s < c->n_series; s++) {
        const double *values = of_x ? c->series[s].x : c->series[s].y;
        for (size_t i = 0; i < c->series[s].n; i++) {
            low = fmin(low, values[i]);
            high = fmax(high, values[i]);
        }
    }
    double tick = round_tick(high > low ? high - low : 1.0);
    double first = floor(low / tick) * tick;
    double last = ceil(high / tick) * tick;
    return (axis){first, last > first ? last : first + tick, tick};
}

static double place_x(const axis *x, double value)
{
    return LEFT + (value - x->low) / (x->high - x->low) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const axis *y, double value)
{
    return HEIGHT - BOTTOM - (value - y->low) / (y->high - y->low) * (HEIGHT - TOP - BOTTOM);
}

static void text(br_buf *out, double x, double y, const char *anchor, const char *content)
{
    br_buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    for (const char *at = content; *at != '\0'; at++) {
        switch (*at) {
        case '<':
            br_buf_printf(out, "&lt;");
            break;
        case '&':
            br_buf_printf(out, "&amp;");
            break;
        default:
            br_buf_char(out, *at);
        }
    }
    br_buf_printf(out, "</text>\n");
}

static void draw_axes(const chart *c, const axis *x, const axis *y, br_buf *out)
{
    char number[32];
    for (int i = 0; x->low + i * x->tick <= x->high + x->tick / 2; i++) {
        double at = place_x(x, x->low + i * x->tick);
        snprintf(number, sizeof number, "%.6g", x->low + i * x->tick);
        br_buf_printf(out, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ddd\"/>\n", at, TOP, at,
                      HEIGHT - BOTTOM);
        text(out, at, HEIGHT - BOTTOM + 18, "middle", number);
    }
    for (int i = 0; y->low + i * y->tick <= y->high + y->tick / 2; i++) {
        double at = place_y(y, y->low + i * y->tick);
        snprintf(number, sizeof number, "%.6g", y->low + i * y->tick);
        br_buf_printf(out, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", LEFT, at,
                      WIDTH - RIGHT, at);
        text(out, LEFT - 8, at + 4, "end", number);
    }
    text(out, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 18, "middle", c->x_label);
    br_buf_printf(out, "<g transform=\"translate(18 %d) rotate(-90)\">\n", (TOP + HEIGHT - BOTTOM) / 2);
    text(out, 0, 0, "middle", c->y_label);
    br_buf_printf(out, "</g>\n");
}

static void draw_line(const chart_series *s, const axis *x, const axis *y, const char *colour, br_buf *out)
{
    br_buf_printf(out, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", colour);
    for (size_t i = 0; i < s->n; i++) {
        br_buf_printf(out, "%s%.1f,%.1f", i == 0 ? "" : " ", place_x(x, s->x[i]), place_y(y, s->y[i]));
    }
    br_buf_printf(out, "\"/>\n");
}

void chart_svg(const chart *c, br_buf *out)
{
    axis x = axis_of(c, true);
    axis y = axis_of(c, false);
    br_buf_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
        "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT);
    text(out, LEFT, TOP - 16, "start", c->title);
    draw_axes(c, &x, &y, out);
    int n_lines = 0;
    for (size_t i = 0; i < c->n_series; i++) {
        const chart_series *s = &c->series[i];
        const char *colour = colours[i % (sizeof colours / sizeof *colours)];
        if (s->n == 1) {
            double at_x = place_x(&x, s->x[0]);
            double at_y = place_y(&y, s->y[0]);
            br_buf_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", at_x, at_y, colour);
            text(out, at_x + 7, at_y + 4, "start", s->name);
        } else {
            int at = TOP + 6 + n_lines++ * LEGEND_LINE;
            draw_line(s, &x, &y, colour, out);
            br_buf_printf(out, "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"3\" fill=\"%s\"/>\n", WIDTH - RIGHT + 8,
                          at, colour);
            text(out, WIDTH - RIGHT + 26, at + 5, "start", s->name);
        }
    }
    br_buf_printf(out, "</svg>\n");
}
