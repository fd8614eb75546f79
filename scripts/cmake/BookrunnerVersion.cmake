# base/version.h: the project's version, the commit it was built from and its date. A tree without git builds as well.

set(BOOKRUNNER_COMMIT unknown)
string(TIMESTAMP BOOKRUNNER_DATE "%B %d, %Y" UTC)
find_program(GIT_PROGRAM git)
if(GIT_PROGRAM AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT_PROGRAM} rev-parse --short=12 HEAD WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  # The log of HEAD changes with every commit and checkout; then the header is made anew.
  execute_process(COMMAND ${GIT_PROGRAM} rev-parse --path-format=absolute --git-path logs/HEAD
                  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                  OUTPUT_VARIABLE log OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(failed EQUAL 0)
    set(BOOKRUNNER_COMMIT ${commit})
    execute_process(COMMAND ${GIT_PROGRAM} show -s --format=%cd "--date=format:%B %d, %Y" WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                    OUTPUT_VARIABLE BOOKRUNNER_DATE OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(EXISTS "${log}")
      set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${log})
    endif()
  endif()
endif()
configure_file(${CMAKE_SOURCE_DIR}/common/base/version.h.in ${CMAKE_BINARY_DIR}/generated/base/version.h @ONLY)
