# The only ways targets are made here. Sources are listed by name; the project's root is the one include folder.

# likeness_library(NAME core SOURCES a.cpp … [PUBLIC lib…] [PRIVATE lib…] [TORCH])
# A static library `likeness_<name>`. TORCH: its sources include torch headers through the one precompiled header, and may not
# include fmt, spdlog or onnx headers (they clash with copies bundled in PyTorch).
function(likeness_library)
  cmake_parse_arguments(A "TORCH" "NAME" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(t likeness_${A_NAME})
  add_library(${t} STATIC ${A_SOURCES})
  add_library(likeness::${A_NAME} ALIAS ${t})
  target_include_directories(${t} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${t} PUBLIC ${A_PUBLIC} PRIVATE ${A_PRIVATE})
  if(A_TORCH)
    target_link_libraries(${t} PUBLIC likeness::torch)
    likeness_use_torch_pch(${t})
    # A source that includes torch takes 5 s before its first line is compiled: four at a time share them.
    set_target_properties(${t} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 4)
  endif()
endfunction()

function(likeness_use_torch_pch target)
  if(NOT TARGET likeness_torch_pch)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/torch_pch.cpp CONTENT "")  # keeps its time, so a new configuration rebuilds nothing
    add_library(likeness_torch_pch STATIC ${CMAKE_BINARY_DIR}/torch_pch.cpp)
    target_link_libraries(likeness_torch_pch PUBLIC likeness::torch)
    target_include_directories(likeness_torch_pch PUBLIC ${CMAKE_SOURCE_DIR})
    target_precompile_headers(likeness_torch_pch PRIVATE <torch/torch.h>)
  endif()
  target_precompile_headers(${target} REUSE_FROM likeness_torch_pch)
endfunction()

# likeness_isa_sources(kernels kernel): puts into `kernels` the sources of <folder>/kernels.cpp and <folder>/loops_*.cpp, vector loops
# compiled once per instruction set and chosen at run time (core/isa.h).
function(likeness_isa_sources result folder)
  set(flags -O3 -fno-trapping-math -fno-math-errno -ffp-contract=fast)
  set(avx2 ${flags} -mavx2 -mfma)
  set(sources ${folder}/kernels.cpp ${folder}/loops_baseline.cpp)
  set_source_files_properties(${folder}/loops_baseline.cpp PROPERTIES COMPILE_OPTIONS "${flags}")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND sources ${folder}/loops_avx2.cpp ${folder}/loops_avx512.cpp)
    set_source_files_properties(${folder}/loops_avx2.cpp PROPERTIES COMPILE_OPTIONS "${avx2}")
    set_source_files_properties(${folder}/loops_avx512.cpp PROPERTIES
      COMPILE_OPTIONS "${avx2};-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mprefer-vector-width=512")
    set_source_files_properties(${folder}/kernels.cpp PROPERTIES COMPILE_DEFINITIONS LIKENESS_X86)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/loops_avx512bf16.cpp)
      list(APPEND sources ${folder}/loops_avx512bf16.cpp)
      set_source_files_properties(${folder}/loops_avx512bf16.cpp PROPERTIES
        COMPILE_OPTIONS "${avx2};-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512bf16")
    endif()
  endif()
  # Without the precompiled torch header: nothing of the standard library may be compiled with a newer instruction set.
  set_source_files_properties(${sources} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  set(${result} ${sources} PARENT_SCOPE)
endfunction()

# likeness_program(NAME likeness-data SOURCES main.cpp LIBS … [TORCH] [UNLISTED])
# UNLISTED: for the tests; neither installed nor part of the target `programs`.
function(likeness_program)
  cmake_parse_arguments(A "TORCH;UNLISTED" "NAME" "SOURCES;LIBS" ${ARGN})
  add_executable(${A_NAME} ${A_SOURCES})
  target_include_directories(${A_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${A_NAME} PRIVATE ${A_LIBS})
  if(A_TORCH)
    target_link_libraries(${A_NAME} PRIVATE likeness::torch)
    likeness_use_torch_pch(${A_NAME})
  endif()
  if(NOT A_UNLISTED)
    set_property(GLOBAL APPEND PROPERTY LIKENESS_PROGRAMS ${A_NAME})
  endif()
endfunction()

# likeness_test(NAME core_tests SOURCES … LIBS … [TORCH] [LABELS unit] [TIMEOUT seconds])
# One ctest entry per binary. Default label "unit"; the test command leaves out "slow", "statistics" and "bench".
function(likeness_test)
  cmake_parse_arguments(A "TORCH" "NAME;TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${A_NAME} ${A_SOURCES})
  target_include_directories(${A_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${A_NAME} PRIVATE LIKENESS_SOURCE_DIR="${CMAKE_SOURCE_DIR}" LIKENESS_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${A_NAME} PRIVATE ${A_LIBS} likeness_test_support GTest::gtest GTest::gtest_main)
  if(A_TORCH)
    target_link_libraries(${A_NAME} PRIVATE likeness::torch)
    target_compile_options(${A_NAME} PRIVATE -Wno-unused-parameter)
  endif()
  if(NOT A_LABELS)
    set(A_LABELS unit)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 600)
  endif()
  add_test(NAME ${A_NAME} COMMAND ${A_NAME} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${A_NAME} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT})
endfunction()

# likeness_bench(NAME loader_bench SOURCES … LIBS … [TORCH]): a Google Benchmark program, built with the tests, run by scripts/bench.sh.
function(likeness_bench)
  cmake_parse_arguments(A "TORCH" "NAME" "SOURCES;LIBS" ${ARGN})
  add_executable(${A_NAME} ${A_SOURCES})
  target_include_directories(${A_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${A_NAME} PRIVATE ${A_LIBS} likeness_test_support benchmark::benchmark)
  if(A_TORCH)
    target_link_libraries(${A_NAME} PRIVATE likeness::torch)
  endif()
endfunction()

# likeness_embed(source NAMESPACE likeness::eval HEADER eval/report/embedded.h FILES page.html NAMES kPage): `source` names a
# generated file that defines the string constants which HEADER declares, one per file.
function(likeness_embed source)
  cmake_parse_arguments(A "" "NAMESPACE;HEADER" "FILES;NAMES" ${ARGN})
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded.cpp)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} "-DFILES=${A_FILES}" "-DNAMES=${A_NAMES}" -DNAMESPACE=${A_NAMESPACE} -DHEADER=${A_HEADER}
      -DOUTPUT=${output} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${A_FILES} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  set(${source} ${output} PARENT_SCOPE)
endfunction()
