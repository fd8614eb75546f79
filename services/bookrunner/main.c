#include "cli.h"

#include <signal.h>

int main(int argc, char **argv)
{
    // A pager that ends early is no reason to die without a word: writing then fails and is reported.
    signal(SIGPIPE, SIG_IGN);
    return cli_main(argc, argv);
}
