# LibTorch from the Python wheel unpacked by scripts/setup.sh, as two imported targets:
#   likeness::torch       torch_cpu, c10 and the headers: all that programs link
#   likeness::torch_cuda  the CUDA half, for the loadable module only (needs scripts/setup.sh --gpu to run, not to link)
# at::parallel_for is a header: without -fopenmp it runs on one thread. PyTorch's own libgomp serves us too, so there is one.
# PyTorch's own package file insists on a CUDA toolkit, and fails with C++20 on CMake 3.25.
set(LibTorch_ROOT ${LIKENESS_DEPS}/torch)
find_path(LibTorch_INCLUDE torch/csrc/api/include/torch/torch.h PATHS ${LibTorch_ROOT}/include NO_DEFAULT_PATH)
find_library(LibTorch_CPU torch_cpu PATHS ${LibTorch_ROOT}/lib NO_DEFAULT_PATH)
find_library(LibTorch_C10 c10 PATHS ${LibTorch_ROOT}/lib NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_INCLUDE LibTorch_CPU LibTorch_C10
  REASON_FAILURE_MESSAGE "run scripts/setup.sh, or configure with -DLIKENESS_TORCH=OFF")

if(LibTorch_FOUND AND NOT TARGET likeness::torch)
  # CUDA's libraries lie beside torch, in one folder (cu13) or in one for each (older wheels).
  file(GLOB nvidia_libs ${LIKENESS_DEPS}/nvidia/*/lib)
  list(TRANSFORM nvidia_libs PREPEND "-Wl,-rpath-link,")
  add_library(likeness::c10 UNKNOWN IMPORTED)
  set_target_properties(likeness::c10 PROPERTIES IMPORTED_LOCATION ${LibTorch_C10})
  add_library(likeness::torch UNKNOWN IMPORTED)
  set_target_properties(likeness::torch PROPERTIES
    IMPORTED_LOCATION ${LibTorch_CPU}
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE};${LibTorch_INCLUDE}/torch/csrc/api/include"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE};${LibTorch_INCLUDE}/torch/csrc/api/include"
    INTERFACE_COMPILE_DEFINITIONS "USE_C10D_GLOO;USE_DISTRIBUTED"
    INTERFACE_COMPILE_OPTIONS "$<$<COMPILE_LANGUAGE:CXX>:-fopenmp>"
    INTERFACE_LINK_LIBRARIES "likeness::c10;${LibTorch_ROOT}/lib/libgomp.so.1;Threads::Threads"
    INTERFACE_LINK_OPTIONS "-Wl,-rpath-link,${LibTorch_ROOT}/lib;${nvidia_libs}")
  if(EXISTS ${LibTorch_ROOT}/lib/libtorch_cuda.so)
    add_library(likeness::torch_cuda UNKNOWN IMPORTED)
    set_target_properties(likeness::torch_cuda PROPERTIES
      IMPORTED_LOCATION ${LibTorch_ROOT}/lib/libtorch_cuda.so
      INTERFACE_LINK_LIBRARIES "likeness::torch;${LibTorch_ROOT}/lib/libc10_cuda.so"
      INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined")
  endif()
endif()
