#include "metrics/hrd.h"

double br_hrd(double rationality, double diversity)
{
    return rationality <= 0.0 || diversity <= 0.0 ? 0.0 : 2.0 * rationality * diversity / (rationality + diversity);
}
