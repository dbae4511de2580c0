# Finds LibTorch and makes the interface target moescope_torch: the C++ libraries only (never libtorch_python), as system
# headers. Looked for, in this order: MOESCOPE_TORCH_ROOT, Torch_DIR, CMAKE_PREFIX_PATH, .venv, the system.
#
# LibTorch's own TorchConfig.cmake is not used: with a CUDA build it demands the CUDA toolkit (nvcc and its headers), which
# moescope does not need, and the default wheel is a CUDA build.
set(MOESCOPE_TORCH_ROOT "" CACHE PATH "Folder of a LibTorch >= 2.6 (include/, lib/): a wheel's torch/ or an unpacked archive")

set(torch_roots "")
if(MOESCOPE_TORCH_ROOT)
  set(torch_roots ${MOESCOPE_TORCH_ROOT})
else()
  if(Torch_DIR)
    get_filename_component(torch_of_dir ${Torch_DIR}/../../.. ABSOLUTE)
    list(APPEND torch_roots ${torch_of_dir})
  endif()
  foreach(prefix ${CMAKE_PREFIX_PATH})
    string(REGEX REPLACE "/share/cmake/?$" "" prefix ${prefix})  # what torch.utils.cmake_prefix_path says
    list(APPEND torch_roots ${prefix})
  endforeach()
  file(GLOB torch_of_venv ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  list(APPEND torch_roots ${torch_of_venv} /usr /usr/local ${MOESCOPE_TORCH_FALLBACK})
endif()

# Uncached, so that a change of the settings above is always heard.
set(torch_root "")
foreach(root ${torch_roots})
  file(GLOB torch_core ${root}/lib/libtorch_cpu.so ${root}/lib/*/libtorch_cpu.so)
  if(torch_core AND EXISTS ${root}/include/ATen/ATen.h)
    set(torch_root ${root})
    list(GET torch_core 0 torch_core)
    get_filename_component(torch_lib ${torch_core} DIRECTORY)
    break()
  endif()
endforeach()
if(NOT torch_root)
  message(FATAL_ERROR "LibTorch not found in: ${torch_roots}. Run tools/setup or set -DMOESCOPE_TORCH_ROOT=FOLDER")
endif()

# 2.6 or newer, built with the C++11 strings that every other library here uses.
foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
  if(EXISTS ${torch_root}/include/${header})
    file(STRINGS ${torch_root}/include/${header} torch_defines REGEX "define TORCH_VERSION_(MAJOR|MINOR) [0-9]+")
    if(torch_defines)
      string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" torch_version "${torch_defines}")
      break()
    endif()
  endif()
endforeach()
if(NOT torch_version VERSION_GREATER_EQUAL 2.6)
  message(FATAL_ERROR "LibTorch in ${torch_root} is version '${torch_version}': 2.6 or newer is needed")
endif()
if(EXISTS ${torch_root}/share/cmake/Torch/TorchConfig.cmake)
  file(STRINGS ${torch_root}/share/cmake/Torch/TorchConfig.cmake torch_old_strings REGEX "_GLIBCXX_USE_CXX11_ABI=0")
  if(torch_old_strings)
    message(FATAL_ERROR "LibTorch in ${torch_root} was built with the old C++ ABI: take the one marked cxx11-abi")
  endif()
endif()

add_library(moescope_torch INTERFACE IMPORTED)
target_include_directories(moescope_torch SYSTEM INTERFACE ${torch_root}/include
                                                           ${torch_root}/include/torch/csrc/api/include)
target_link_libraries(moescope_torch INTERFACE ${torch_lib}/libtorch_cpu.so ${torch_lib}/libc10.so)
set(torch_kind "CPU only")
if(EXISTS ${torch_lib}/libtorch_cuda.so)
  set(torch_kind "CPU and CUDA")
  # Nothing here names a symbol of these, but they register the CUDA kernels when they are loaded. What they need in turn
  # they find by themselves at run time.
  target_link_libraries(moescope_torch INTERFACE
    "-Wl,--push-state,--no-as-needed,${torch_lib}/libtorch_cuda.so,${torch_lib}/libc10_cuda.so,--pop-state")
  target_link_options(moescope_torch INTERFACE -Wl,-rpath,${torch_lib} -Wl,--allow-shlib-undefined)
endif()
message(STATUS "LibTorch ${torch_version} (${torch_kind}): ${torch_root}")
