/*
 * Lambda functions as a proxy calls them (model/dialect.h): Invoke and
 * InvokeWithResponseStream of the Lambda API (docs.aws.amazon.com, Lambda API
 * reference), signed last of all.
 *
 * What the client gets:
 *
 *   the function answered     200 and its bytes; unwrapped: what it says
 *   ASYNC, DRY_RUN            202, 204, as AWS answers
 *
 * and where it did not, with the word that the log has. In brackets whether
 * another attempt may be made: [safe]: the function has not run; [policy]: the
 * route's retries decide; else never.
 *
 *   X-Amz-Function-Error           502 function_error
 *     after its own timeout        504 function_timeout
 *   an answer that is none         502 bad_function_answer
 *   a stream that breaks off       the client's connection is reset
 *   429, throttled                 429 function_throttled, Retry-After [safe]
 *   403, not allowed               502 function_forbidden
 *   404                            502 function_not_found
 *   413                            413 function_request_too_large
 *   400, it is no JSON             400 function_request_not_json; 502 if the
 *                                  event is ours
 *   clocks too far apart           503 clock_skew, once [safe] with the clock
 *                                  set right
 *   expired, unknown or wrong      503 credentials_refused; others are asked
 *     credentials                  for [safe]
 *   none yet                       503 no_credentials
 *   409, being made or updated;    503 function_not_ready [safe]
 *     502, no capacity for it
 *   408, it did not start in time  504 function_start_timeout [safe]
 *   502, 4xx, it cannot start      502 function_broken
 *   500                            502 lambda_failed [policy]
 *   503                            503 lambda_failed [policy]
 *   504                            504 lambda_failed [policy]
 *   any other                      502 lambda_refused
 *
 * Never 200 for a failure, and nothing that AWS says of rights or names of its
 * own goes to the client.
 */
#ifndef KINDS_AWS_LAMBDA_H
#define KINDS_AWS_LAMBDA_H

struct dialect;

extern const struct dialect aws_dialect;

#endif
