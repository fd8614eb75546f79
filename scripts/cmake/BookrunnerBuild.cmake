# How every target of this tree is built: one set of flags, and one function per kind of target.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(ZMQ        REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(PROTOBUFC  REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(LMDB       REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(SODIUM     REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(CYAML      REQUIRED IMPORTED_TARGET libcyaml)
pkg_check_modules(JANSSON    REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(ZLIB       REQUIRED IMPORTED_TARGET zlib)
# The pthread build by name: the OpenMP build ignores openblas_set_num_threads.
find_library(OPENBLAS_LIBRARY NAMES openblas
             PATHS /usr/lib/x86_64-linux-gnu/openblas-pthread NO_DEFAULT_PATH REQUIRED)
find_path(OPENBLAS_INCLUDE cblas.h
          PATHS /usr/include/x86_64-linux-gnu/openblas-pthread NO_DEFAULT_PATH REQUIRED)
find_library(CSV_LIBRARY NAMES csv REQUIRED)
find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)

# -ffp-contract=off: the answer path must give the same bytes from every compiler; where a fused
# multiply-add is wanted it is written.
add_library(br_flags INTERFACE)
target_compile_options(br_flags INTERFACE -ffp-contract=off -fno-math-errno -fstack-protector-strong)
target_compile_definitions(br_flags INTERFACE _GNU_SOURCE
  $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
target_include_directories(br_flags INTERFACE ${CMAKE_SOURCE_DIR}/common)
target_link_options(br_flags INTERFACE -Wl,-z,relro,-z,now)
if(BOOKRUNNER_SANITIZE)
  target_compile_options(br_flags INTERFACE -fsanitize=${BOOKRUNNER_SANITIZE}
    -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -U_FORTIFY_SOURCE)
  target_link_options(br_flags INTERFACE -fsanitize=${BOOKRUNNER_SANITIZE})
endif()

add_library(br_warnings INTERFACE)
target_compile_options(br_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Wstrict-prototypes
  -Wmissing-prototypes -Wcast-qual -Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wformat=2
  -Wswitch-enum $<$<BOOL:${BOOKRUNNER_WERROR}>:-Werror>)

# br_module(NAME LINK lib...): the static library of common/NAME from every .c in its directory.
function(br_module name)
  cmake_parse_arguments(M "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  if(NOT sources)
    add_library(${name} INTERFACE)
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC br_flags ${M_LINK} PRIVATE br_warnings)
endfunction()

# br_service(NAME): the program bookrunner-NAME from services/NAME (the command itself keeps its bare name).
function(br_service name program)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c)
  if(NOT sources)
    return()
  endif()
  add_executable(${program} ${sources})
  target_include_directories(${program} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  target_link_libraries(${program} PRIVATE br_warnings common)
  install(TARGETS ${program} RUNTIME DESTINATION bin)
endfunction()
