# `cmake --install build/release --prefix DIR`: programs in bin/, loadable modules and the wheels' libraries in lib/likeness/,
# recipes in share/likeness/, so that the prefix runs from anywhere. Debian's libraries stay the system's.
get_property(programs GLOBAL PROPERTY LIKENESS_PROGRAMS)
get_property(modules GLOBAL PROPERTY LIKENESS_MODULES)  # loadable modules that programs open at run time, without the CUDA one
add_custom_target(programs DEPENDS ${programs} ${modules})  # what quickstart builds: no tests, no CUDA module

install(TARGETS ${programs} RUNTIME DESTINATION bin)
if(modules)
  install(TARGETS ${modules} LIBRARY DESTINATION lib/likeness)
endif()
if(TARGET likeness_cuda)
  install(TARGETS likeness_cuda LIBRARY DESTINATION lib/likeness OPTIONAL)
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs/ DESTINATION share/likeness/configs)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION share/likeness)

set(ov ${LIKENESS_DEPS}/openvino/libs)
file(GLOB openvino_libs ${ov}/libopenvino.so.* ${ov}/libopenvino_intel_cpu_plugin.so ${ov}/libopenvino_onnx_frontend.so.*
  ${ov}/libopenvino_ir_frontend.so.* ${ov}/libtbb.so.* ${ov}/libtbbmalloc.so.* ${ov}/libtbbbind_2_5.so.* ${ov}/libhwloc.so.*)
install(FILES ${openvino_libs} DESTINATION lib/likeness)
if(LIKENESS_TORCH)
  file(GLOB torch_libs ${LIKENESS_DEPS}/torch/lib/libtorch_cpu.so ${LIKENESS_DEPS}/torch/lib/libc10.so
    ${LIKENESS_DEPS}/torch/lib/libgomp.so.* ${LIKENESS_DEPS}/nvidia/cu13/lib/libcudart.so.* ${LIKENESS_DEPS}/nvidia/cu13/lib/libcupti.so.*)
  install(FILES ${torch_libs} DESTINATION lib/likeness)
endif()
