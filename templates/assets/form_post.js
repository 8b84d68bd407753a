// Takes the answer to the application at once (OAuth 2.0 Form Post Response Mode 1.0); the button is for browsers that run no script.
document.forms[0].submit();
