# src/engine/report.c: progress goes back when reports come in the wrong order.
# caught by: engine-report_test progress_never_goes_back_within_an_attempt
s/ && in->progress > task->progress) task/) task/
