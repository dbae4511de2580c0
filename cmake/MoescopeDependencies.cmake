# Finds every library moescope uses, each as one target. LibTorch and Arrow come from a project-local virtual environment
# (.venv, made by tools/setup) unless CMake is pointed at others (README.md, "Other libraries"). The installed package
# (cmake/moescopeConfig.cmake) finds them with this same file; MOESCOPE_PACKAGE is set there. Targets of libraries are
# IMPORTED, so that the package names them and does not carry them.
find_package(Threads REQUIRED)
if(MOESCOPE_WITH_TORCH)
  include(MoescopeTorch)
endif()

# Header-only copies serve as well as packages: -DCMAKE_PREFIX_PATH=FOLDER with include/nlohmann, include/fmt, include/CLI,
# include/toml++, include/Eigen, include/hwy and include/xxhash.h is enough on a machine where nothing can be installed.
find_package(nlohmann_json QUIET)
if(NOT nlohmann_json_FOUND)
  find_path(NLOHMANN_INCLUDE nlohmann/json.hpp REQUIRED)
  add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
  target_include_directories(nlohmann_json::nlohmann_json INTERFACE ${NLOHMANN_INCLUDE})
endif()
find_package(fmt QUIET)
if(fmt_FOUND)
  # LibTorch ships another version of fmt among its headers. This folder comes before LibTorch's on every command line.
  get_target_property(fmt_include fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include)
  file(CREATE_LINK ${fmt_include}/fmt ${CMAKE_BINARY_DIR}/include/fmt SYMBOLIC)
  if(MOESCOPE_WITH_TORCH)
    target_include_directories(moescope_torch SYSTEM BEFORE INTERFACE ${CMAKE_BINARY_DIR}/include)
  endif()
else()
  find_path(FMT_INCLUDE fmt/format.h HINTS ${torch_root}/include REQUIRED)
  add_library(fmt::fmt INTERFACE IMPORTED)
  target_include_directories(fmt::fmt INTERFACE ${FMT_INCLUDE})
  target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)
endif()
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
set(header_folders ${XXHASH_INCLUDE})
if(NOT MOESCOPE_PACKAGE)  # the program needs one, a source of the room io the other
  find_path(CLI11_INCLUDE CLI/CLI.hpp REQUIRED)
  find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
  list(APPEND header_folders ${CLI11_INCLUDE} ${TOMLPLUSPLUS_INCLUDE})
endif()
add_library(moescope_headers INTERFACE IMPORTED)
foreach(include ${header_folders})
  if(NOT include STREQUAL "/usr/include")  # naming it as a system folder would break the compiler's own search
    target_include_directories(moescope_headers SYSTEM INTERFACE ${include})
  endif()
endforeach()

find_package(Eigen3 QUIET NO_MODULE)
if(NOT TARGET Eigen3::Eigen)
  find_path(EIGEN_INCLUDE Eigen/Core PATH_SUFFIXES eigen3 REQUIRED)
  add_library(Eigen3::Eigen INTERFACE IMPORTED)
  target_include_directories(Eigen3::Eigen INTERFACE ${EIGEN_INCLUDE})
endif()

# Highway compiles vector code for several machines and chooses when the program runs; choosing needs its library. With
# its headers alone there is one target: what the compiler's options allow.
find_path(HIGHWAY_INCLUDE hwy/highway.h REQUIRED)
find_library(HIGHWAY_LIBRARY hwy)
add_library(moescope_highway INTERFACE IMPORTED)
if(NOT HIGHWAY_INCLUDE STREQUAL "/usr/include")
  target_include_directories(moescope_highway SYSTEM INTERFACE ${HIGHWAY_INCLUDE})
endif()
if(HIGHWAY_LIBRARY)
  target_link_libraries(moescope_highway INTERFACE ${HIGHWAY_LIBRARY})
else()
  target_compile_definitions(moescope_highway INTERFACE HWY_COMPILE_ONLY_STATIC)
  message(NOTICE "Highway's library was not found: vector code is made for the compiler's target only "
                 "(for this machine: CMAKE_FLAGS=-DCMAKE_CXX_FLAGS=-march=native)")
endif()
# Targets that are worth their code: SSE4, AVX2 and AVX-512, or NEON. Vectors without a size known to the compiler (SVE)
# cannot be kept in arrays, as our kernels do.
target_compile_definitions(moescope_highway INTERFACE
  "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128)")

if(MOESCOPE_WITH_TEXT)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
  pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
  find_package(ZLIB REQUIRED)
  find_package(ICU REQUIRED COMPONENTS uc)
endif()

if(MOESCOPE_WITH_ARROW)
  set(MOESCOPE_ARROW_ROOT "" CACHE PATH "Folder of a pyarrow wheel (include/, libarrow.so.*); default: Arrow's CMake package, then .venv")
  set(arrow_root "${MOESCOPE_ARROW_ROOT}")
  if(NOT arrow_root)
    find_package(Arrow QUIET)
    find_package(Parquet QUIET)
    file(GLOB arrow_root ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/pyarrow)
    if(NOT arrow_root)
      set(arrow_root ${MOESCOPE_ARROW_FALLBACK})
    endif()
  endif()
  add_library(moescope_arrow INTERFACE IMPORTED)
  if(NOT MOESCOPE_ARROW_ROOT AND Arrow_FOUND AND Parquet_FOUND)
    target_link_libraries(moescope_arrow INTERFACE Parquet::parquet_shared Arrow::arrow_shared)
  else()
    # The pyarrow wheel carries headers and libraries with a version suffix but no CMake package.
    file(GLOB arrow_so ${arrow_root}/libarrow.so.*)
    file(GLOB parquet_so ${arrow_root}/libparquet.so.*)
    if(NOT arrow_so OR NOT parquet_so)
      message(FATAL_ERROR "Arrow C++ not found in '${arrow_root}': run tools/setup, set MOESCOPE_ARROW_ROOT or -DMOESCOPE_WITH_ARROW=OFF")
    endif()
    target_include_directories(moescope_arrow SYSTEM INTERFACE ${arrow_root}/include)
    target_link_libraries(moescope_arrow INTERFACE ${parquet_so} ${arrow_so})
    target_link_options(moescope_arrow INTERFACE -Wl,-rpath,${arrow_root}
                                                 -Wl,-rpath-link,${arrow_root})
  endif()
endif()

if(MOESCOPE_BUILD_TESTS)
  find_package(GTest QUIET)
  if(GTest_FOUND)
    include(GoogleTest)
  else()  # a user's machine; `make test` installs it
    message(STATUS "GoogleTest not found: this build has no tests")
    set(MOESCOPE_BUILD_TESTS OFF)
  endif()
endif()
