// Completion for bash: the tables of commands and options as they are, and a function that reads them.

#include "options.h"

#include <stdio.h>

static const char head[] = "# Completion of bookrunner for bash; written by `bookrunner completion`.\n"
                           "_bookrunner()\n"
                           "{\n"
                           "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
                           "    local words='' options='' value='' option i n=0\n"
                           "    local -a places\n"
                           "    COMPREPLY=()\n"
                           "    case $COMP_CWORD:${COMP_WORDS[1]} in\n";

// A value with | is one of some, DIR and FILE are paths, others nobody can guess. bash cuts --format=csv into three words.
static const char tail[] = "    esac\n"
                           "    if [[ $current == = ]]; then\n"
                           "        current=''\n"
                           "    elif [[ $previous == = ]]; then\n"
                           "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
                           "    fi\n"
                           "    for option in $options; do\n"
                           "        [[ $option != \"$previous\"=* ]] || value=${option#*=}\n"
                           "    done\n"
                           "    if [[ -z $value && $current == -* ]]; then\n"
                           "        for option in $options --help; do\n"
                           "            value+=${option%%=*}'|'\n"
                           "        done\n"
                           "    elif [[ -z $value ]]; then\n"
                           "        for ((i = 2; i < COMP_CWORD; i++)); do\n"
                           "            if [[ ${COMP_WORDS[i + 1]} == = ]]; then\n"
                           "                ((i += 2))\n"
                           "            elif [[ $options == *\"${COMP_WORDS[i]}=\"* ]]; then\n"
                           "                ((i += 1))\n"
                           "            elif [[ ${COMP_WORDS[i]} != -* ]]; then\n"
                           "                ((n += 1))\n"
                           "            fi\n"
                           "        done\n"
                           "        read -ra places <<<\"$words\"\n"
                           "        if [[ $n -lt ${#places[@]} ]]; then\n"
                           "            value=${places[n]}\n"
                           "        elif [[ $words == *...* ]]; then\n"
                           "            value=${places[-1]}\n"
                           "        fi\n"
                           "        value=${value#\\[}\n"
                           "        value=${value%]}\n"
                           "        value=${value%...}\n"
                           "    fi\n"
                           "    case $value in\n"
                           "    *'|'*)\n"
                           "        mapfile -t COMPREPLY < <(compgen -W \"${value//|/ }\" -- \"$current\")\n"
                           "        ;;\n"
                           "    DIR)\n"
                           "        compopt -o filenames 2>/dev/null\n"
                           "        mapfile -t COMPREPLY < <(compgen -d -- \"$current\")\n"
                           "        ;;\n"
                           "    FILE | FILES)\n"
                           "        compopt -o filenames 2>/dev/null\n"
                           "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
                           "        ;;\n"
                           "    esac\n"
                           "}\n"
                           "complete -F _bookrunner bookrunner\n";

static void print_commands(void)
{
    for (const command *c = cli_commands(); c->name != NULL; c++) {
        printf("%s|", c->name);
    }
}

exit_code command_completion(const arguments *args)
{
    (void)args;
    printf("%s    1:*) value='", head);
    print_commands();
    printf("help|--help|--version' ;;\n    *:help) words='");
    print_commands();
    printf("' ;;\n");
    for (const command *c = cli_commands(); c->name != NULL; c++) {
        printf("    *:%s) words='%s' options='", c->name, c->words);
        const option_spec *spec = NULL;
        for (int i = 0; (spec = option_at(c->options, i)) != NULL; i++) {
            printf("%s--%s%s%s", i == 0 ? "" : " ", spec->name, spec->value == NULL ? "" : "=",
                   spec->value == NULL ? "" : spec->value);
        }
        printf("' ;;\n");
    }
    fputs(tail, stdout);
    return EXIT_CODE_OK;
}
